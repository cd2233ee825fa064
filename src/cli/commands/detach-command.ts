import type { Command } from 'commander';
import { formatDomainRef } from '../../libvirt/libvirt.js';
import type { Begin } from '../command-work.js';
import { domainArgument } from '../input/domain-argument.js';
import {
  connectionInfoOption,
  disconnectOptions,
  forceOption,
  type ReleaseFlags,
  wwidOption,
} from '../input/file-options.js';

/** `detach`: the guest lets go, then the volume leaves this host. */
export function addDetachCommand(program: Command, begin: Begin): void {
  program
    .command('detach')
    .description('Takes a volume from a guest, then from this host. The host changes only once the guest has let go.')
    .argument('<DOMAIN>', 'the guest: its name or UUID')
    .addOption(connectionInfoOption())
    .addOption(forceOption())
    .addOption(wwidOption())
    .addHelpText(
      'after',
      `
Examples:
  libvirt-volume detach web1 --connection-info volume.json
  libvirt-volume detach 6e1f8a52-3d0c-4a51-9c7e-0d5f6b7a8c90 --connection-info volume.json --json`,
    )
    .action((domainText: string, flags: ReleaseFlags) => {
      const domain = domainArgument(domainText);
      begin({
        doing: `Detaching the volume from ${formatDomainRef(domain)}`,
        run: async ({ readJson, driverFor, signal }) => {
          const connectionInfo = await readJson(flags.connectionInfo);
          const { found, warnings } = await driverFor(connectionInfo).detach(domain, connectionInfo, {
            signal,
            ...disconnectOptions(flags),
          });
          const text = found
            ? `Detached from ${formatDomainRef(domain)}`
            : 'Nothing to do: the volume is not in the guest, nor on this host';
          return { document: { detached: found, warnings }, text, warnings };
        },
      });
    });
}
