import { formatPortalName, type PortalName } from '../connection/portal-name.js';

/**
 * The line of a record of ours that keeps which name its address was resolved from: by the time of the disconnect the
 * name may have another, or none.
 */
export function portalComment(portal: PortalName): string {
  return `Portal ${formatPortalName(portal)}`;
}
