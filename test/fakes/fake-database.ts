import { type Logger, SILENT } from '../../src/base/logger.js';
import type { CommandRunner } from '../../src/host/command.js';
import type { Locks } from '../../src/host/locks.js';
import type { Processes } from '../../src/host/processes.js';
import { OpenIscsiDatabase } from '../../src/database/open-iscsi-database.js';
import { locateDatabase } from '../../src/initiator/locate-database.js';
import type { FakeHost } from './fake-host.js';
import { FakeLocks } from './fake-locks.js';

interface FakeDatabaseParts {
  readonly commands?: CommandRunner;
  /** The option. */
  readonly databaseRoot?: string | undefined;
  readonly processes?: Processes;
  readonly locks?: Locks;
  readonly logger?: Logger;
}

/** The database of a made-up host, as one process sees it. */
export function fakeDatabase(host: FakeHost, parts: FakeDatabaseParts = {}): OpenIscsiDatabase {
  const {
    commands = host,
    databaseRoot,
    processes = host.processes.start(),
    locks = new FakeLocks(),
    logger = SILENT,
  } = parts;
  return new OpenIscsiDatabase({
    files: host,
    clock: host.clock,
    processes,
    locks,
    logger,
    locate: async (signal) => await locateDatabase({ files: host, commands, databaseRoot }, signal),
  });
}
