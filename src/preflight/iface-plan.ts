import type { NonEmpty } from '../base/brand.js';
import { isVolumeError, type VolumeError } from '../base/volume-error.js';
import type { VolumeOptions } from '../config/options.js';
import type { Hardware } from '../hardware/hardware.js';
import { DEFAULT_IFACE, type IfaceName } from '../iface/iface-name.js';
import { BUILT_IN_IFACES, type Iface } from '../iface/iface.js';
import type { IfaceInventory } from '../iface/read-ifaces.js';
import { type ResolvedIface, resolveIface } from '../iface/resolve-iface.js';
import { describeSelector, type IfaceSelector, matchingIfaces } from '../iface/select-iface.js';

/** Which ifaces to use, and which instead when their transport cannot work. */
export interface IfacePlan {
  readonly requested: readonly ResolvedIface[];
  /** What the configuration names and this host does not have, or not as it should be. */
  readonly missing: readonly MissingIface[];
  readonly fallback: Iface | undefined;
}

/** An iface of the configuration that is not there: its record was removed, or its card. */
export interface MissingIface {
  /** As the configuration names it. */
  readonly words: string;
  /** Under which sessions over it may still be here. */
  readonly names: readonly IfaceName[];
  /** `IFACE_NOT_FOUND` or `IFACE_UNUSABLE`. */
  readonly error: VolumeError;
}

/** Every iface that a volume of this plan may have come over, the requested ones first. */
export function ifaceNamesOf({ requested, missing, fallback }: IfacePlan): readonly IfaceName[] {
  return [
    ...new Set([
      ...requested.map(({ iface }) => iface.name),
      ...missing.flatMap(({ names }) => names),
      ...(fallback === undefined ? [] : [fallback.name]),
    ]),
  ];
}

/** The requested ifaces in one word, as the result has it. */
export function requestOf({ requested, missing }: IfacePlan): string {
  return [...requested.map(({ iface }) => iface.name), ...missing.map(({ words }) => words)].join(',');
}

/**
 * To bring a volume to this host takes all that the configuration names; to take it away does not.
 * @throws {VolumeError} `IFACE_NOT_FOUND`, `IFACE_UNUSABLE`
 */
export function requireIfaces({ missing: [first] }: IfacePlan): void {
  if (first !== undefined) throw first.error;
}

/**
 * What the configuration means on this host now; two selectors that mean one iface are one. Software TCP has nothing to
 * fall back to.
 */
export async function planIfaces(
  selectors: NonEmpty<IfaceSelector>,
  {
    inventory,
    hardware,
    fallback,
  }: {
    readonly inventory: IfaceInventory;
    readonly hardware: () => Promise<Hardware>;
    readonly fallback: VolumeOptions['iscsiIfaceFallback'];
  },
): Promise<IfacePlan> {
  const requested: ResolvedIface[] = [];
  const missing: MissingIface[] = [];
  for (const selector of selectors) {
    try {
      const resolved = await resolveIface(selector, inventory, hardware);
      if (!requested.some(({ iface }) => iface.name === resolved.iface.name)) requested.push(resolved);
    } catch (error) {
      if (!isVolumeError(error, 'IFACE_NOT_FOUND') && !isVolumeError(error, 'IFACE_UNUSABLE')) throw error;
      const words = selector.kind === 'name' ? selector.name : describeSelector(selector);
      missing.push({ words, names: namesOf(selector, inventory), error });
    }
  }
  const mayFallBack = fallback === 'default' && !requested.some(({ iface }) => iface.transport === 'tcp');
  return {
    requested,
    missing,
    fallback: mayFallBack ? BUILT_IN_IFACES.find(({ name }) => name === DEFAULT_IFACE) : undefined,
  };
}

function namesOf(selector: IfaceSelector, inventory: IfaceInventory): readonly IfaceName[] {
  const present = matchingIfaces(selector, inventory).map(({ name }) => name);
  return selector.kind === 'name' ? [...new Set([selector.name, ...present])] : present;
}
