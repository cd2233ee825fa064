import type { Command } from 'commander';
import { formatDomainRef } from '../../libvirt/libvirt.js';
import type { Begin } from '../command-work.js';
import { domainArgument } from '../input/domain-argument.js';
import { connectionInfoOption } from '../input/file-options.js';
import { formatSize } from '../output/format-size.js';

/** `extend`: host and guest see all of a volume that has grown at the storage. */
export function addExtendCommand(program: Command, begin: Begin): void {
  program
    .command('extend')
    .description(
      'Brings every path, the map and the running guest to the size of a grown volume. Makes nothing smaller.',
    )
    .argument('[DOMAIN]', 'the guest that has the volume: its name or UUID')
    .addOption(connectionInfoOption())
    .addHelpText(
      'after',
      `
Examples:
  libvirt-volume extend --connection-info volume.json
  libvirt-volume extend web1 --connection-info volume.json --json`,
    )
    .action((domainText: string | undefined, { connectionInfo: file }: { readonly connectionInfo: string }) => {
      const domain = domainText === undefined ? undefined : domainArgument(domainText);
      begin({
        doing: 'Extending the volume',
        run: async ({ readJson, driverFor, signal }) => {
          const connectionInfo = await readJson(file);
          const { device, oldSizeBytes, newSizeBytes, guestResized, warnings } = await driverFor(connectionInfo).extend(
            connectionInfo,
            { signal, ...(domain === undefined ? {} : { domain }) },
          );
          const told = domain !== undefined && guestResized ? `, and ${formatDomainRef(domain)} was told` : '';
          const sizes =
            oldSizeBytes === newSizeBytes
              ? `is at its size, ${formatSize(newSizeBytes)}`
              : `grew from ${formatSize(oldSizeBytes)} to ${formatSize(newSizeBytes)}`;
          return {
            document: {
              device: device.path,
              oldSizeBytes: oldSizeBytes,
              newSizeBytes: newSizeBytes,
              guestResized,
              warnings,
            },
            text: `${device.path} ${sizes}${told}`,
            warnings,
          };
        },
      });
    });
}
