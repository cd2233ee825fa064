import { finding, type Finding } from '../finding.js';

/** A transport that failed at a login and is not tried again for a while: volumes go over the fallback until then. */
export interface FailedTransport {
  readonly iface: string;
  /** `192.0.2.10:3260` */
  readonly portal: string;
  readonly reason: string;
  readonly retryInMs: number;
}

/** One warning for each that is still waited for. */
export function checkFailedTransports(list: readonly FailedTransport[]): readonly Finding[] {
  return list.filter(({ retryInMs }) => retryInMs > 0).map(({ iface, portal, reason, retryInMs }) =>
    finding('TRANSPORT_NOT_TRIED', `the iface ${iface} failed at ${portal} and is not tried there for another ${Math.ceil(retryInMs / 1000)} s: ${reason}`));
}
