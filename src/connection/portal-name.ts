import type { HostName } from './host-name.js';
import type { Portal } from './portal.js';

/** A portal that was given by name: which address it has is asked when it is needed. */
export interface PortalName {
  readonly hostName: HostName;
  readonly port: number;
  readonly tpgt?: number;
}

export function isPortalName(portal: Portal | PortalName): portal is PortalName {
  return !('address' in portal);
}

export function formatPortalName({ hostName, port }: PortalName): string {
  return `${hostName}:${port}`;
}
