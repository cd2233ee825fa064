import type { CommandRunner } from '../../src/host/command.js';
import { OpenIscsiDatabase } from '../../src/iface/open-iscsi-database.js';
import { locateDatabase } from '../../src/initiator/locate-database.js';
import type { FakeHost } from './fake-host.js';

/** The database of a made-up host, as one process sees it. @param databaseRoot the option */
export function fakeDatabase(host: FakeHost, { commands = host, databaseRoot }: { readonly commands?: CommandRunner; readonly databaseRoot?: string | undefined } = {}): OpenIscsiDatabase {
  return new OpenIscsiDatabase({ files: host, clock: host.clock, locate: async (signal) => await locateDatabase({ files: host, commands, databaseRoot }, signal) });
}
