import type { Command } from 'commander';
import type { RecoveredItem } from '../../recovery/host-recovery.js';
import type { Begin } from '../command-work.js';
import { alignedTable } from '../output/aligned-table.js';

interface ReconcileFlags {
  readonly dryRun?: boolean;
  readonly keep?: readonly string[];
}

/** `reconcile`: what killed processes have left goes, and nothing else. */
export function addReconcileCommand(program: Command, begin: Begin): void {
  program
    .command('reconcile')
    .description(
      'Removes what killed processes left behind: volumes that nobody uses or keeps, sessions, records, map ids. ' +
        'Restores administrators’ records. Never touches what this library did not make.',
    )
    .option('--dry-run', 'say what would be done, and change nothing')
    .option('--keep <files...>', 'connection_info files (- for stdin), or lists of them, whose volumes stay')
    .addHelpText(
      'after',
      `
Examples:
  libvirt-volume reconcile --dry-run
  libvirt-volume reconcile --keep volume-7.json volume-8.json
  compute-service list-connections | libvirt-volume reconcile --keep - --json`,
    )
    .action((flags: ReconcileFlags) => {
      begin({
        doing: 'Reconciling this host',
        run: async ({ readJson, recovery, signal }) => {
          const keep: unknown[] = [];
          for (const file of flags.keep ?? []) keep.push(...listOf(await readJson(file)));
          const items = await recovery().reconcile({ keep, dryRun: flags.dryRun === true, signal });
          const failed = items.some(({ outcome }) => outcome === 'failed');
          return {
            document: { items: items.map((item) => ({ ...item, error: item.error ?? null })) },
            text: items.length === 0 ? 'Nothing to do' : alignedTable(items.flatMap(rows)),
            warnings: [],
            exitStatus: failed ? 1 : 0,
          };
        },
      });
    });
}

function rows({ outcome, action, kind, name, reason, error }: RecoveredItem): readonly (readonly string[])[] {
  const word = {
    done: action === 'restore' ? 'restored' : 'removed',
    planned: `would ${action}`,
    kept: 'kept',
    failed: 'FAILED',
  };
  return [[word[outcome], kind, name, reason], ...(error === undefined ? [] : [['', '', '', error]])];
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}
