import { SILENT } from '../../src/base/logger.js';
import { ExecaCommandRunner } from '../../src/host/node/execa-command-runner.js';
import { NodeFileSystem } from '../../src/host/node/node-file-system.js';
import { FlockLocks } from '../../src/host/node/flock-locks.js';
import { SYSTEM_PROCESSES } from '../../src/host/node/system-processes.js';
import { SYSTEM_CLOCK } from '../../src/host/node/system-clock.js';
import { OpenIscsiDatabase } from '../../src/database/open-iscsi-database.js';
import { locateDatabase } from '../../src/initiator/locate-database.js';

const [files, commands] = [new NodeFileSystem(), new ExecaCommandRunner({ logger: SILENT })];

/** The database of the machine's own open-iscsi, as this library finds it. */
export const HOST_DATABASE = new OpenIscsiDatabase({
  files,
  clock: SYSTEM_CLOCK,
  processes: SYSTEM_PROCESSES,
  locks: new FlockLocks({ directory: '/run/lock/libvirt-volume', waitMs: 60_000 }),
  logger: SILENT,
  locate: async (signal) => await locateDatabase({ files, commands, databaseRoot: undefined }, signal),
});
