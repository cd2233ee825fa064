import { errorChain } from '../../base/error-chain.js';
import type { Logger } from '../../base/logger.js';
import { isVolumeError } from '../../base/volume-error.js';
import type { ConnectedVolume } from '../connected-volume.js';
import { withWarnings } from '../released-volume.js';
import type { NoteKeeper } from './note-keeper.js';

/**
 * Brings a volume to this host with a note of what is to come, from before the first effect until all is known of it or
 * it is gone again: what a process that is killed meanwhile leaves is found by that. What cannot be noted costs no
 * volume, and is told.
 */
export async function announced(
  note: NoteKeeper,
  logger: Logger,
  bring: () => Promise<ConnectedVolume>,
): Promise<ConnectedVolume> {
  const warnings = new Set<string>();
  const tried = async (deed: Promise<void>): Promise<void> => {
    try {
      await deed;
    } catch (error) {
      if (!isVolumeError(error)) throw error;
      const reason = `what a crash of this call leaves could not be noted: ${errorChain(error)}`;
      logger.warn('Cannot write to the state directory', { reason });
      warnings.add(reason);
    }
  };
  await tried(note.announce());
  let volume: ConnectedVolume;
  try {
    volume = await bring();
  } catch (error) {
    if (!isVolumeError(error, 'CLEANUP_INCOMPLETE')) await tried(note.forgetArrival());
    throw error;
  }
  await tried(note.arrived());
  return withWarnings(volume, [...warnings]);
}
