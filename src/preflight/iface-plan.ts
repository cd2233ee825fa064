import type { NonEmpty } from '../base/brand.js';
import type { VolumeOptions } from '../config/options.js';
import type { Hardware } from '../hardware/hardware.js';
import { DEFAULT_IFACE, type IfaceName } from '../iface/iface-name.js';
import { BUILT_IN_IFACES, type Iface } from '../iface/iface.js';
import type { IfaceInventory } from '../iface/read-ifaces.js';
import { type ResolvedIface, resolveIface } from '../iface/resolve-iface.js';
import type { IfaceSelector } from '../iface/select-iface.js';

/** Which ifaces to use, and which instead when their transport cannot work. */
export interface IfacePlan {
  readonly requested: NonEmpty<ResolvedIface>;
  readonly fallback: Iface | undefined;
}

/** Every iface that a volume of this plan may have come over, the requested ones first. */
export function ifaceNamesOf({ requested, fallback }: IfacePlan): readonly IfaceName[] {
  return [
    ...new Set([...requested.map(({ iface }) => iface.name), ...(fallback === undefined ? [] : [fallback.name])]),
  ];
}

/** The requested ifaces in one word, as the result has it. */
export function requestOf({ requested }: IfacePlan): string {
  return requested.map(({ iface }) => iface.name).join(',');
}

/**
 * What the configuration means on this host now; two selectors that mean one iface are one. Software TCP has nothing to
 * fall back to.
 * @throws {VolumeError} `IFACE_NOT_FOUND`, `IFACE_UNUSABLE`
 */
export async function planIfaces(
  [first, ...others]: NonEmpty<IfaceSelector>,
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
  const requested: [ResolvedIface, ...ResolvedIface[]] = [await resolveIface(first, inventory, hardware)];
  for (const selector of others) {
    const resolved = await resolveIface(selector, inventory, hardware);
    if (!requested.some(({ iface }) => iface.name === resolved.iface.name)) requested.push(resolved);
  }
  const mayFallBack = fallback === 'default' && !requested.some(({ iface }) => iface.transport === 'tcp');
  return { requested, fallback: mayFallBack ? BUILT_IN_IFACES.find(({ name }) => name === DEFAULT_IFACE) : undefined };
}
