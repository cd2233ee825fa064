/** Host names, as this host's own resolver knows them (DNS, /etc/hosts, whatever it is set up to ask). */
export interface HostNames {
  /**
   * The addresses of a name: canonical, each once, in the order of the resolver, which sorts what this host can reach
   * best to the front (RFC 6724).
   * @throws {VolumeError} `PORTAL_UNREACHABLE` when the name has none or the resolver does not answer in time,
   * `ABORTED`
   */
  lookup(name: string, signal: AbortSignal): Promise<readonly string[]>;
}
