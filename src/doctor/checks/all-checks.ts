import type { Finding } from '../finding.js';
import type { HostState } from '../host-state.js';
import { checkConfig } from './check-config.js';
import { checkDatabase } from './check-database.js';
import { checkDirectories } from './check-directories.js';
import { checkFailedTransports } from './check-failed-transports.js';
import { checkIfaces } from './check-ifaces.js';
import { checkInitiatorName } from './check-initiator-name.js';
import { checkLibvirt } from './check-libvirt.js';
import { checkMultipath } from './check-multipath.js';
import { checkNicsInOneNetwork } from './check-nics-in-one-network.js';
import { checkOddLines } from './check-odd-lines.js';
import { checkOpenIscsi } from './check-open-iscsi.js';
import { checkPermissions } from './check-permissions.js';
import { checkSessions } from './check-sessions.js';

/** Each decides over what was seen and touches nothing. In the order in which people would look. */
export const ALL_CHECKS: readonly ((state: HostState) => readonly Finding[])[] = [
  checkConfig,
  checkPermissions,
  checkDirectories,
  checkOpenIscsi,
  checkInitiatorName,
  checkDatabase,
  checkOddLines,
  checkSessions,
  checkIfaces,
  checkFailedTransports,
  checkNicsInOneNetwork,
  checkMultipath,
  checkLibvirt,
];
