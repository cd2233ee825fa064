import { hostname, machine } from 'node:os';
import type { HostIdentity } from '../host-identity.js';

/** uname(2), asked each time: an administrator may rename a running host. */
export const SYSTEM_HOST_IDENTITY: HostIdentity = { hostName: hostname, machine };
