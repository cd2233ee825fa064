import type { Command } from 'commander';
import type { Begin } from '../command-work.js';
import {
  connectionInfoOption,
  disconnectOptions,
  forceOption,
  type ReleaseFlags,
  wwidOption,
} from '../input/file-options.js';

/** `disconnect`: the volume leaves this host. */
export function addDisconnectCommand(program: Command, begin: Begin): void {
  program
    .command('disconnect')
    .description('Flushes a volume, removes it from this host, and ends the session if no other volume uses it.')
    .addOption(connectionInfoOption())
    .addOption(forceOption())
    .addOption(wwidOption())
    .addHelpText(
      'after',
      `
Examples:
  libvirt-volume disconnect --connection-info volume.json
  libvirt-volume disconnect --connection-info volume.json --wwid 36001405f0c4b3a6d1e84c0f8d2f6b7a1
  libvirt-volume disconnect --connection-info volume.json --force --json`,
    )
    .action((flags: ReleaseFlags) => {
      begin({
        doing: 'Disconnecting the volume',
        run: async ({ readJson, driverFor, signal }) => {
          const connectionInfo = await readJson(flags.connectionInfo);
          const { found, warnings } = await driverFor(connectionInfo).disconnect(connectionInfo, {
            signal,
            ...disconnectOptions(flags),
          });
          const text = found ? 'Disconnected' : 'Nothing to do: the volume is not connected to this host';
          return { document: { disconnected: found, warnings }, text, warnings };
        },
      });
    });
}
