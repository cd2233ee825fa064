import type { NonEmpty } from '../../base/brand.js';
import { asTable, textOf } from '../../base/json-fields.js';
import type { ProcessIdentity } from '../../host/processes.js';
import { type NotedUnit, parseOwner, parseUnits } from './volume-note.js';

/**
 * What a connect() is about to bring to this host, noted before its first effect: a process that is killed before it
 * knows which volume it is leaves this behind.
 */
export interface ArrivalNote {
  /** The storage service's id; `undefined` where the connection_info had none. */
  readonly volumeId: string | undefined;
  readonly units: NonEmpty<NotedUnit>;
  readonly owner: ProcessIdentity | undefined;
  /** It is here, and reports no WWID, so that nothing more can be noted of it. */
  readonly arrived: boolean;
}

const VERSION = 1;

export function formatArrivalNote({ volumeId, units, owner, arrived }: ArrivalNote): string {
  const note = { version: VERSION, ...(volumeId === undefined ? {} : { volumeId }), units, owner, arrived };
  return `${JSON.stringify(note, undefined, 2)}\n`;
}

/**
 * Reads what formatArrivalNote() wrote, and believes nothing.
 * @throws {SyntaxError} that says what is wrong with it
 */
export function parseArrivalNote(text: string): ArrivalNote {
  const file = asTable(JSON.parse(text), 'the file');
  if (file['version'] !== VERSION) throw new SyntaxError(`version is not ${VERSION}`);
  return {
    volumeId: file['volumeId'] === undefined ? undefined : textOf(file, 'volumeId'),
    units: parseUnits(file),
    owner: parseOwner(file),
    arrived: file['arrived'] === true,
  };
}
