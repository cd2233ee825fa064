import type { VolumeEvent } from './volume-event.js';

/** What each counter counts, in the order in which they are shown. */
const HELP = {
  libvirt_volume_connects_total: 'Volumes connected, by the iface that was asked for and the one that is used.',
  libvirt_volume_connect_seconds_total: 'Time spent in connects that succeeded.',
  libvirt_volume_disconnects_total: 'Volumes disconnected.',
  libvirt_volume_disconnect_seconds_total: 'Time spent in disconnects that succeeded.',
  libvirt_volume_extends_total: 'Volumes extended.',
  libvirt_volume_extend_seconds_total: 'Time spent in extends that succeeded.',
  libvirt_volume_swaps_total: 'Volumes swapped under running guests.',
  libvirt_volume_swap_seconds_total: 'Time spent in swaps that succeeded.',
  libvirt_volume_fallbacks_total: 'Volumes that came over another iface than was asked for, by the reason.',
  libvirt_volume_login_failures_total: 'Logins that failed, by iface and error code.',
} as const;
export type CounterName = keyof typeof HELP;

type Labels = Readonly<Record<string, string>>;

/** A counter with one set of labels. */
export interface CounterSample {
  readonly labels: Labels;
  readonly value: number;
}

/** A counter as it stands now. */
export interface Counter {
  readonly name: CounterName;
  readonly help: string;
  readonly samples: readonly CounterSample[];
}

/**
 * Counts events since the process began. Its labels are ifaces and codes, of which a host has few; a target, a portal
 * or a volume is none, for each would be a time series of its own.
 */
export class VolumeCounters {
  readonly #values = new Map<CounterName, Map<string, { readonly labels: Labels; value: number }>>();

  /** A listener: `events.subscribe(counters.count)`. */
  readonly count = (event: VolumeEvent): void => {
    switch (event.kind) {
      case 'volume-connected': {
        const labels = { iface: event.requested, used: event.used };
        this.#add('libvirt_volume_connects_total', labels, 1);
        this.#add('libvirt_volume_connect_seconds_total', labels, event.durationMs / 1000);
        return;
      }
      case 'volume-disconnected':
        if (!event.found) return;
        this.#add('libvirt_volume_disconnects_total', {}, 1);
        this.#add('libvirt_volume_disconnect_seconds_total', {}, event.durationMs / 1000);
        return;
      case 'volume-extended':
        this.#add('libvirt_volume_extends_total', {}, 1);
        this.#add('libvirt_volume_extend_seconds_total', {}, event.durationMs / 1000);
        return;
      case 'volume-swapped':
        this.#add('libvirt_volume_swaps_total', {}, 1);
        this.#add('libvirt_volume_swap_seconds_total', {}, event.durationMs / 1000);
        return;
      case 'transport-fallback':
        this.#add('libvirt_volume_fallbacks_total', { iface: event.requested, used: event.used, code: event.code }, 1);
        return;
      case 'login-failed':
        this.#add('libvirt_volume_login_failures_total', { iface: event.iface, code: event.code }, 1);
        return;
      default:
        event satisfies never;
    }
  };

  /** Every counter that has counted. */
  snapshot(): readonly Counter[] {
    const names = Object.keys(HELP).filter((name): name is CounterName => Object.hasOwn(HELP, name));
    return names.flatMap((name) => {
      const values = this.#values.get(name);
      return values === undefined
        ? []
        : [{ name, help: HELP[name], samples: [...values.values()].map(({ labels, value }) => ({ labels, value })) }];
    });
  }

  #add(name: CounterName, labels: Labels, amount: number): void {
    const values = this.#values.get(name) ?? new Map<string, { readonly labels: Labels; value: number }>();
    this.#values.set(name, values);
    const key = JSON.stringify(labels);
    const present = values.get(key);
    if (present === undefined) values.set(key, { labels, value: amount });
    else present.value += amount;
  }
}
