import type { Command } from 'commander';
import type { Begin } from '../command-work.js';
import { connectionInfoOption } from '../input/file-options.js';
import { volumeDocument } from '../output/volume-document.js';
import { volumeText } from '../output/volume-text.js';

/** `connect`: the volume becomes a block device of this host. */
export function addConnectCommand(program: Command, begin: Begin): void {
  program
    .command('connect')
    .description('Connects a volume to this host and prints its block device. A connected volume stays as it is.')
    .addOption(connectionInfoOption())
    .addHelpText(
      'after',
      `
Examples:
  libvirt-volume connect --connection-info volume.json
  libvirt-volume connect --connection-info - --json < volume.json`,
    )
    .action(({ connectionInfo: file }: { readonly connectionInfo: string }) => {
      begin({
        doing: 'Connecting the volume',
        run: async ({ readJson, driverFor, signal }) => {
          const connectionInfo = await readJson(file);
          const volume = await driverFor(connectionInfo).connect(connectionInfo, { signal });
          return { document: volumeDocument(volume), text: volumeText(volume), warnings: volume.warnings };
        },
      });
    });
}
