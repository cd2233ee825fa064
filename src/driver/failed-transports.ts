import { VolumeError } from '../base/volume-error.js';
import { formatPortal, type Portal } from '../connection/portal.js';
import type { Clock } from '../host/clock.js';
import type { IfaceName } from '../iface/iface-name.js';

/** How long a transport that failed at login is not tried again: the next attaches do not wait for it, and it gets its chance after. */
export const RETRY_AFTER_MS = 300_000;

/** What was found out at a login about a transport that cannot reach a portal, and the fallback could, kept for a while. What hardware tells is asked anew each time. */
export class FailedTransports {
  readonly #clock: Clock;
  readonly #failures = new Map<string, { readonly error: VolumeError; readonly until: number }>();

  constructor({ clock }: { readonly clock: Clock }) {
    this.#clock = clock;
  }

  remember(iface: IfaceName, portal: Portal, error: VolumeError): void {
    this.#failures.set(keyOf(iface, portal), { error, until: this.#clock.now() + RETRY_AFTER_MS });
  }

  /** @returns the failure that stands in for another try, or `undefined` when it is time to try */
  recall(iface: IfaceName, portal: Portal): VolumeError | undefined {
    const key = keyOf(iface, portal);
    const failure = this.#failures.get(key);
    if (failure === undefined) return undefined;
    if (this.#clock.now() < failure.until) return asRecalled(failure.error);
    this.#failures.delete(key);
    return undefined;
  }
}

function keyOf(iface: IfaceName, portal: Portal): string {
  return `${iface} ${formatPortal(portal)}`;
}

/** Told apart from a new failure, which would begin the time anew. */
function asRecalled({ code, message, cause, hint, details }: VolumeError): VolumeError {
  return new VolumeError(code, message, { cause, details: { ...details, recalled: true }, ...(hint === undefined ? {} : { hint }) });
}
