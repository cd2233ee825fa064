import { errorChain } from '../base/error-chain.js';
import { isVolumeError, type VolumeError } from '../base/volume-error.js';
import { finding, type Finding } from './finding.js';

/** What a look at the host gave: a value, or why there is none. One look that fails does not end the others. */
export type Seen<Value> =
  { readonly kind: 'seen'; readonly value: Value } | { readonly kind: 'unseen'; readonly error: VolumeError };

/** Looks, and takes a `VolumeError` for an answer. Anything else is a mistake in this program and is thrown on. */
export async function see<Value>(look: () => Promise<Value>): Promise<Seen<Value>> {
  try {
    return { kind: 'seen', value: await look() };
  } catch (error) {
    if (isVolumeError(error)) return { kind: 'unseen', error };
    throw error;
  }
}

/** The findings of what was seen; that it could not be seen is one itself. */
export function ifSeen<Value>(seen: Seen<Value>, check: (value: Value) => readonly Finding[]): readonly Finding[] {
  return seen.kind === 'seen' ? check(seen.value) : [finding('NOT_READABLE', errorChain(seen.error))];
}
