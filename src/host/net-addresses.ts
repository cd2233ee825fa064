/** An IP address of this host, and the network device that has it. */
export interface NetAddress {
  readonly netdev: string;
  /** Canonical, without a zone. */
  readonly address: string;
  /** The bits of its network, where they are known. */
  readonly prefix: number | undefined;
}

/** The IP addresses of this host: sysfs does not have them. */
export interface NetAddresses {
  /** Of the devices that are up and have a carrier. */
  list(): readonly NetAddress[];
}
