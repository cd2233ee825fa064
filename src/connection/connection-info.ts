import type { DriverVolumeType } from './iscsi-connection.js';
import type { QOS_KEYS } from './qos-specs.js';

/** A number as Python's services send it. */
type NumberOrText = number | string;

/**
 * What the storage service says of a volume and of where it is: Cinder's `connection_info`
 * (docs/connection-info.md). The type helps those who write one; every method reads what it gets as `unknown` and tells
 * all that is wrong with it. `null` counts as absent, but for `target_lun`. Other keys are passed over.
 */
export interface ConnectionInfo {
  readonly driver_volume_type: DriverVolumeType;
  readonly data: ConnectionData;
  /** The serial number that the guest sees; the volume's id where `data.volume_id` is absent. */
  readonly serial?: string | null | undefined;
  /** Several guests may have the volume. */
  readonly multiattach?: boolean | null | undefined;
  readonly [other: string]: unknown;
}

/** One portal by the singular keys, or several by the plural ones. */
export interface ConnectionData {
  /** `192.0.2.10:3260`, `[2001:db8::10]:3260` or `storage.example:3260`. */
  readonly target_portal?: string | null | undefined;
  readonly target_iqn?: string | null | undefined;
  /** 0 to 16383; 0 where it is absent. */
  readonly target_lun?: NumberOrText | undefined;
  readonly target_portals?: readonly string[] | null | undefined;
  /** One for each portal. */
  readonly target_iqns?: readonly string[] | null | undefined;
  /** One for each portal; `target_lun` for all where it is absent. */
  readonly target_luns?: readonly NumberOrText[] | null | undefined;
  /** How the array numbers its units on the wire (SAM-5, 4.7.7). */
  readonly addressing_mode?: 'SAM' | 'transparent' | 'SAM2' | 'SAM3-flat' | null | undefined;
  readonly volume_id?: string | null | undefined;
  readonly auth_method?: string | null | undefined;
  readonly auth_username?: string | null | undefined;
  readonly auth_password?: string | null | undefined;
  readonly discovery_auth_method?: string | null | undefined;
  readonly discovery_auth_username?: string | null | undefined;
  readonly discovery_auth_password?: string | null | undefined;
  readonly access_mode?: 'rw' | 'ro' | '' | null | undefined;
  readonly discard?: boolean | null | undefined;
  readonly encrypted?: boolean | null | undefined;
  readonly enforce_multipath?: boolean | null | undefined;
  /** Bytes. */
  readonly logical_block_size?: NumberOrText | null | undefined;
  /** Bytes. */
  readonly physical_block_size?: NumberOrText | null | undefined;
  readonly qos_specs?: Readonly<Partial<Record<(typeof QOS_KEYS)[number], NumberOrText>>> | null | undefined;
  /** Where the volume is on this host already, as the caller believes. */
  readonly device_path?: string | null | undefined;
  readonly [other: string]: unknown;
}
