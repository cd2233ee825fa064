import type { Lun } from './lun.js';
import { isPortalName, type PortalName } from './portal-name.js';
import { type Portal, samePortal } from './portal.js';
import type { TargetName } from './target-name.js';

/** One way to the volume: this target, through this portal, at this LUN. */
export interface TargetPath {
  readonly target: TargetName;
  readonly portal: Portal;
  readonly lun: Lun;
}

/** A path as the storage service lists it: its portal may be a name. */
export type ListedPath = Omit<TargetPath, 'portal'> & { readonly portal: Portal | PortalName };

/** The paths, each once: one that is listed twice, perhaps in another spelling, is one path. */
export function withoutRepeats<Path extends ListedPath>(paths: readonly Path[]): readonly Path[] {
  return paths.filter((path, index) => paths.findIndex((one) => isSamePath(one, path)) === index);
}

export function isSamePath(one: ListedPath, other: ListedPath): boolean {
  return one.target === other.target && one.lun === other.lun && same(one.portal, other.portal);
}

function same(one: Portal | PortalName, other: Portal | PortalName): boolean {
  if (isPortalName(one)) return isPortalName(other) && one.hostName === other.hostName && one.port === other.port;
  return !isPortalName(other) && samePortal(one, other);
}
