import { SILENT } from '../../src/base/logger.js';
import { ExecaCommandRunner } from '../../src/host/node/execa-command-runner.js';
import { NodeFileSystem } from '../../src/host/node/node-file-system.js';
import { SYSTEM_CLOCK } from '../../src/host/node/system-clock.js';
import { OpenIscsiDatabase } from '../../src/iface/open-iscsi-database.js';
import { locateDatabase } from '../../src/initiator/locate-database.js';

const [files, commands] = [new NodeFileSystem(), new ExecaCommandRunner({ logger: SILENT })];

/** The database of the machine's own open-iscsi, as this library finds it. */
export const HOST_DATABASE = new OpenIscsiDatabase({ files, clock: SYSTEM_CLOCK, locate: async (signal) => await locateDatabase({ files, commands, databaseRoot: undefined }, signal) });
