/** What this host calls itself and what it is. */
export interface HostIdentity {
  /** gethostname(2). */
  hostName(): string;
  /** uname(2), `machine`: `x86_64`, `aarch64`. */
  machine(): string;
}
