/**
 * What the storage service is told of this host before it exports a volume to it: Cinder's connector, key by key as
 * os-brick makes it (os_brick/initiator/connector.py, get_connector_properties), less the keys of other protocols.
 */
export interface ConnectorProperties {
  /** The name that the target lets in. */
  readonly initiator: string;
  /** An address of this host. Some back ends let hosts in by it. */
  readonly ip: string;
  readonly host: string;
  /** With several portals wanted in the connection_info: `volume_use_multipath`. */
  readonly multipath: boolean;
  /** Comes back as `data.enforce_multipath`: `volume_enforce_multipath`. */
  readonly enforce_multipath: boolean;
  /** uname(2), machine: `x86_64`. */
  readonly platform: string;
  readonly os_type: 'linux';
  readonly do_local_attach: false;
}
