import type { NonEmpty } from '../../base/brand.js';
import { errorChain } from '../../base/error-chain.js';
import type { Logger } from '../../base/logger.js';
import type { ChapCredentials } from '../../connection/chap-credentials.js';
import type { MultipathMap } from '../../device/block-device.js';
import type { MultipathMaps } from '../../device/multipath/multipath-maps.js';
import type { ConnectResult } from '../describe-volume.js';
import type { NoteKeeper } from './note-keeper.js';
import type { VolumePath, PathOpener } from './path-opener.js';
import type { PathCandidate } from '../../preflight/plan-logins.js';
import { UndoLog } from '../undo-log.js';
import type { VolumeGuard } from './volume-guard.js';

export interface OnePathParts {
  readonly maps: MultipathMaps;
  readonly opener: PathOpener;
  readonly logger: Logger;
}

export interface OnePathRequest {
  readonly chap: ChapCredentials | undefined;
  readonly guard: VolumeGuard;
  readonly note: NoteKeeper;
}

/** Opens a volume over the first path that works. */
export class OnePathOpener {
  readonly #parts: OnePathParts;

  constructor(parts: OnePathParts) {
    this.#parts = parts;
  }

  /** multipathd may put a map over a single disk too, or below one that is there. */
  async open(
    ways: NonEmpty<PathCandidate>,
    { chap, guard, note }: OnePathRequest,
    signal: AbortSignal,
  ): Promise<ConnectResult> {
    const undo = new UndoLog();
    const path = await this.#parts.opener.openFirst(ways, { chap, guard, undo }, signal);
    try {
      const map = await this.#parts.maps.over(path.disk);
      if (map !== undefined) await guard.requireOwn(map, path.disk, signal);
      return { paths: [path], map: undefined, warnings: await this.keepNote(note, path, map, undo) };
    } catch (error) {
      throw await undo.after(error);
    }
  }

  /**
   * What cannot be noted costs no volume over one path: it is told that nobody could tell it from another one later.
   */
  async keepNote(
    note: NoteKeeper,
    { disk }: VolumePath,
    map: MultipathMap | undefined,
    undo: UndoLog,
  ): Promise<readonly string[]> {
    try {
      await note.keep(disk, map?.id, undo);
      return [];
    } catch (error) {
      const warning =
        'who the volume is could not be noted, so that another one under its LUN may not be told ' +
        `from it: ${errorChain(error)}`;
      this.#parts.logger.warn('Cannot write to the state directory', { reason: warning });
      return [warning];
    }
  }
}
