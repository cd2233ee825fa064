import type { Command } from 'commander';
import type { Begin } from './command-work.js';
import { connectionInfoOption, forceOption } from './file-options.js';

/** `disconnect`: the volume leaves this host. */
export function addDisconnectCommand(program: Command, begin: Begin): void {
  program
    .command('disconnect')
    .description('Writes out what is still in memory, takes the volume from this host, and ends the session if no other volume uses it.')
    .addOption(connectionInfoOption())
    .addOption(forceOption())
    .addHelpText('after', `
Examples:
  libvirt-volume disconnect --connection-info volume.json
  libvirt-volume disconnect --connection-info volume.json --force --json`)
    .action(({ connectionInfo: file, force = false }: { readonly connectionInfo: string; readonly force?: boolean }) => {
      begin({
        doing: 'Disconnecting the volume',
        run: async ({ readJson, driverFor, signal }) => {
          const connectionInfo = await readJson(file);
          const { found, warnings } = await driverFor(connectionInfo).disconnect(connectionInfo, { force }, signal);
          const text = found ? 'Disconnected' : 'Nothing to do: the volume is not connected to this host';
          return { document: { disconnected: found, warnings }, text, warnings };
        },
      });
    });
}
