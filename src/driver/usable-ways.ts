import { VolumeError } from '../base/volume-error.js';
import type { TargetPath } from '../connection/target-path.js';
import type { Hardware, Verdict } from '../iface/hardware.js';
import type { Iface } from '../iface/iface.js';
import { DEFAULT_IFACE } from '../iface/iface-name.js';
import { verifyIface } from '../iface/verify-iface.js';
import type { Way } from './path-opener.js';

const USABLE: Verdict = { kind: 'usable' };

/** The ways that the hardware allows, and why it does not allow the others. */
export interface UsableWays {
  readonly ways: readonly Way[];
  readonly refusals: readonly VolumeError[];
}

/** Each iface with each path that it can reach, as far as the hardware tells, before any login is tried. Software TCP without a binding needs none. */
export function usableWays(ifaces: readonly Iface[], paths: readonly TargetPath[], hardware: Hardware): UsableWays {
  const found = ifaces.flatMap((iface) => paths.map((path) => ({ way: { path, iface }, verdict: iface.name === DEFAULT_IFACE ? USABLE : verifyIface(iface, hardware, path.portal) })));
  return {
    ways: found.flatMap(({ way, verdict }) => (verdict.kind === 'usable' ? [way] : [])),
    refusals: ifaces.flatMap((iface) => {
      const of = found.filter(({ way }) => way.iface === iface);
      const [refused] = of.flatMap(({ verdict }) => (verdict.kind === 'usable' ? [] : [verdict]));
      if (refused === undefined || of.some(({ verdict }) => verdict.kind === 'usable')) return [];
      const { code, reason, mend } = refused;
      return [new VolumeError('TRANSPORT_UNAVAILABLE', `Cannot use the iface ${iface.name}: ${reason}`, { details: { iface: iface.name, reasonCode: code }, ...(mend === undefined ? {} : { hint: mend }) })];
    }),
  };
}
