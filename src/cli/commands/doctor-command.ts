import type { Command } from 'commander';
import type { Finding } from '../../doctor/finding.js';
import { alignedTable } from '../output/aligned-table.js';
import type { Begin } from '../command-work.js';

/** `doctor`: whether an attach would work on this host, what stands in its way, and what mends it. */
export function addDoctorCommand(program: Command, begin: Begin): void {
  program
    .command('doctor')
    .description(
      'Checks this host without changing it. Each finding comes with the command that mends it. Exit status 0 only ' +
        'if an attach would work.',
    )
    .addHelpText(
      'after',
      `
Examples:
  libvirt-volume doctor
  libvirt-volume doctor --config /etc/libvirt-volume/config.toml
  libvirt-volume doctor --json
  libvirt-volume doctor || echo 'no volumes on this host'`,
    )
    .action(() => {
      begin({
        doing: 'Checking this host',
        run: async ({ doctor, configOrigin, signal }) => {
          const findings = await doctor().examine(configOrigin, signal);
          const healthy = !findings.some(({ severity }) => severity === 'error');
          return {
            document: { healthy, findings: findings.map(findingDocument) },
            text: findingsText(findings),
            warnings: [],
            exitStatus: healthy ? 0 : 1,
          };
        },
      });
    });
}

function findingDocument({ severity, code, message, hint }: Finding): object {
  return { severity, code, message, hint: hint ?? null };
}

/**
 * A line for each finding; the command that mends it stands alone on the next, so that it can be taken with the mouse.
 */
function findingsText(findings: readonly Finding[]): string {
  const rows = findings.flatMap(({ severity, code, message, hint }) => [
    [severity, code, message],
    ...(hint === undefined ? [] : [['', '', hint]]),
  ]);
  return `${alignedTable(rows)}\n\n${summary(findings)}`;
}

function summary(findings: readonly Finding[]): string {
  const [errors, warnings] = (['error', 'warning'] as const).map(
    (severity) => findings.filter((finding) => finding.severity === severity).length,
  );
  const counts = [counted(errors ?? 0, 'error'), counted(warnings ?? 0, 'warning')]
    .filter((text) => text !== '')
    .join(', ');
  if (counts === '') return 'All is well: an attach would work.';
  return errors === 0 ? `An attach would work. ${counts}.` : `An attach would not work. ${counts}.`;
}

function counted(count: number, noun: string): string {
  return count === 0 ? '' : `${count} ${noun}${count === 1 ? '' : 's'}`;
}
