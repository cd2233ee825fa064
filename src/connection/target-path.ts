import type { Lun } from './lun.js';
import type { PortalName } from './portal-name.js';
import type { Portal } from './portal.js';
import type { TargetName } from './target-name.js';

/** One way to the volume: this target, through this portal, at this LUN. */
export interface TargetPath {
  readonly target: TargetName;
  readonly portal: Portal;
  readonly lun: Lun;
}

/** A path as the storage service lists it: its portal may be a name. */
export type ListedPath = Omit<TargetPath, 'portal'> & { readonly portal: Portal | PortalName };
