import type { NonEmpty } from '../base/brand.js';
import type { ChapCredentials } from './chap-credentials.js';
import type { QosSpecs } from './qos-specs.js';
import type { ListedPath, TargetPath } from './target-path.js';

/** The `driver_volume_type`s of this library. */
export const DRIVER_VOLUME_TYPES = ['iscsi', 'iser'] as const;
export type DriverVolumeType = (typeof DRIVER_VOLUME_TYPES)[number];

/** What a connection_info says of the volume, wherever it is. */
export interface VolumeFacts {
  readonly volumeType: DriverVolumeType;
  /** `data.volume_id`, else the top-level `serial`. */
  readonly volumeId: string | undefined;
  /** The top-level `serial`, as the guest shall see it. */
  readonly serial: string | undefined;
  readonly chap: ChapCredentials | undefined;
  readonly discoveryChap: ChapCredentials | undefined;
  readonly readonly: boolean;
  readonly multiattach: boolean;
  /** One portal stands for all that the target has: the others are to be asked for, where several paths are wanted. */
  readonly namesOnePortal: boolean;
  /** The storage service wants no attach without a multipath map. */
  readonly enforceMultipath: boolean;
  readonly discard: boolean;
  readonly encrypted: boolean;
  readonly logicalBlockSize: number | undefined;
  readonly physicalBlockSize: number | undefined;
  readonly qos: QosSpecs;
  /** Where the volume is already, when the caller says so. */
  readonly devicePath: string | undefined;
}

/** A connection_info that has been read and is believed from here on. */
export interface ListedConnection extends VolumeFacts {
  /** Every path that is listed, in the order of the list. */
  readonly paths: NonEmpty<ListedPath>;
}

/** A connection that this host can follow: where portals are listed by name, it is known which addresses they have. */
export interface IscsiConnection extends VolumeFacts {
  /** The paths in the order of the list; a name has one for each of its addresses. */
  readonly paths: NonEmpty<TargetPath>;
}
