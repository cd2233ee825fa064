import { isPortalName, type PortalName } from './portal-name.js';
import { type Portal, samePortal } from './portal.js';
import type { ListedPath } from './target-path.js';

/** The paths, each once: one that is listed twice, perhaps in another spelling, is one path. */
export function withoutRepeats<Path extends ListedPath>(paths: readonly Path[]): readonly Path[] {
  return paths.filter(
    (path, index) =>
      paths.findIndex((one) => one.target === path.target && one.lun === path.lun && same(one.portal, path.portal)) ===
      index,
  );
}

function same(one: Portal | PortalName, other: Portal | PortalName): boolean {
  if (isPortalName(one)) return isPortalName(other) && one.hostName === other.hostName && one.port === other.port;
  return !isPortalName(other) && samePortal(one, other);
}
