import type { NonEmpty } from '../base/brand.js';
import type { Iface } from '../iface/iface.js';
import type { IfaceName } from '../iface/iface-name.js';
import type { ResolvedIface } from '../iface/resolve-iface.js';

/** Which ifaces to use, and which instead when their transport cannot work. */
export interface IfacePlan {
  readonly requested: NonEmpty<ResolvedIface>;
  readonly fallback: Iface | undefined;
}

/** Every iface that a volume of this plan may have come over, the requested ones first. */
export function ifaceNamesOf({ requested, fallback }: IfacePlan): readonly IfaceName[] {
  return [...new Set([...requested.map(({ iface }) => iface.name), ...(fallback === undefined ? [] : [fallback.name])])];
}

/** The requested ifaces in one word, as the result has it. */
export function requestOf({ requested }: IfacePlan): string {
  return requested.map(({ iface }) => iface.name).join(',');
}
