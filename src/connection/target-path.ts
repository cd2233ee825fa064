import type { Lun } from './lun.js';
import type { Portal } from './portal.js';
import type { TargetName } from './target-name.js';

/** One way to the volume: this target, through this portal, at this LUN. */
export interface TargetPath {
  readonly target: TargetName;
  readonly portal: Portal;
  readonly lun: Lun;
}
