import { VolumeError } from '../base/volume-error.js';
import type { TargetPath } from '../connection/target-path.js';
import type { Hardware, Verdict } from '../hardware/hardware.js';
import { DEFAULT_IFACE } from '../iface/iface-name.js';
import type { Iface } from '../iface/iface.js';
import { pairPaths } from './pair-portals.js';
import { verifyIface } from './verify-iface.js';

const USABLE: Verdict = { kind: 'usable' };

/** One way to open: a path of the connection over an iface. */
export interface PathCandidate {
  readonly path: TargetPath;
  readonly iface: Iface;
}

/** The ways that lead somewhere, as far as the hardware tells. */
export interface LoginPlan {
  /** All ways over the first iface, then those over the next. */
  readonly ways: readonly PathCandidate[];
  /** Why an iface has no way at all: one `TRANSPORT_UNAVAILABLE` each. */
  readonly refusals: readonly VolumeError[];
}

interface Refusal {
  readonly code: string;
  readonly reason: string;
  readonly hint?: string | undefined;
}

/**
 * Each iface with each path that it can reach, before any login is tried. Software TCP without a binding needs no look.
 */
export function planLogins(ifaces: readonly Iface[], paths: readonly TargetPath[], hardware: Hardware): LoginPlan {
  const verdicts = ifaces.flatMap((iface) =>
    paths.map((path) => ({
      iface,
      path,
      verdict: iface.name === DEFAULT_IFACE ? USABLE : verifyIface(iface, hardware, path.portal),
    })),
  );
  const working = ifaces.filter((iface) =>
    verdicts.some((one) => one.iface === iface && one.verdict.kind === 'usable'),
  );
  const { pairs, leftOut } = pairPaths(
    working,
    paths.map((path) => ({ path, address: path.portal.address })),
    hardware,
  );
  const ways = verdicts
    .filter(
      ({ iface, path, verdict }) =>
        verdict.kind === 'usable' && pairs.some((pair) => pair.iface === iface && pair.portal.path === path),
    )
    .map(({ iface, path }): PathCandidate => ({ iface, path }));
  return {
    ways,
    refusals: ifaces
      .filter((iface) => !ways.some((way) => way.iface === iface))
      .flatMap((iface) => {
        const [refusal] = [
          ...verdicts.flatMap((one): readonly Refusal[] =>
            one.iface === iface && one.verdict.kind === 'unusable' ? [one.verdict] : [],
          ),
          ...leftOut.filter((one) => one.iface === iface),
        ];
        return refusal === undefined ? [] : [asError(iface, refusal)];
      }),
  };
}

function asError({ name }: Iface, { code, reason, hint }: Refusal): VolumeError {
  return new VolumeError('TRANSPORT_UNAVAILABLE', `Cannot use the iface ${name}: ${reason}`, {
    details: { iface: name, reasonCode: code },
    ...(hint === undefined ? {} : { hint: hint }),
  });
}

/** One error for several ifaces, none of which has a way to the volume. */
export function noneOf(ifaces: readonly Iface[], failures: readonly VolumeError[]): VolumeError {
  const [first, ...others] = failures;
  if (first !== undefined && others.length === 0) return first;
  return new VolumeError(
    'TRANSPORT_UNAVAILABLE',
    `Cannot use any of the ifaces ${ifaces.map(({ name }) => name).join(', ')}`,
    { cause: new AggregateError(failures), details: { reasonCode: 'NO_IFACE' } },
  );
}

/** The hardware's own word where it was the hardware that refused. */
export function reasonCodeOf({ code, details }: VolumeError): string {
  return typeof details['reasonCode'] === 'string' ? details['reasonCode'] : code;
}
