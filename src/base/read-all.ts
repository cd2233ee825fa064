import type { InputProblem } from './error-details.js';
import { isVolumeError, VolumeError } from './volume-error.js';

/** An error of `CONNECTION_INFO_INVALID` or `DISK_INFO_INVALID` for one problem. @param what the input, for people */
export function invalidInput(
  code: 'CONNECTION_INFO_INVALID' | 'DISK_INFO_INVALID',
  { key, problem }: InputProblem,
  text = `${key} ${problem}`,
): VolumeError {
  return new VolumeError(code, `${PREFIX[code]}${text}`, { details: { key } });
}

const PREFIX = {
  CONNECTION_INFO_INVALID: 'Cannot use the connection_info: ',
  DISK_INFO_INVALID: 'Cannot use the disk_info: ',
} as const;

/**
 * Reads every part of an input, also where another part is wrong: whoever made it hears of all mistakes at once.
 * @throws {VolumeError} that of the only problem, or one that lists all in `details.problems`
 */
export function readAll<Result extends object>(reads: {
  readonly [Key in keyof Result]: () => Result[Key];
}): Result {
  const errors: VolumeError[] = [];
  const entries = (Object.keys(reads) as (keyof Result)[]).map((key) => {
    try {
      return [key, reads[key]()] as const;
    } catch (error) {
      if (!isVolumeError(error, 'CONNECTION_INFO_INVALID', 'DISK_INFO_INVALID')) throw error;
      errors.push(error);
      return [key, undefined] as const;
    }
  });
  const [first, ...others] = errors;
  if (first === undefined) return Object.fromEntries(entries) as Result;
  if (others.length === 0) throw first;
  const { code, details } = first;
  const prefix = code === 'DISK_INFO_INVALID' ? PREFIX.DISK_INFO_INVALID : PREFIX.CONNECTION_INFO_INVALID;
  throw new VolumeError(code, `${prefix}${errors.map(({ message }) => message.slice(prefix.length)).join('; ')}`, {
    details: { key: details['key'], problems: errors.flatMap((error) => problemsOf(error, prefix)) },
  });
}

/** The text of an error of one problem begins with its key. */
function problemsOf({ message, details }: VolumeError, prefix: string): readonly InputProblem[] {
  const { key, problems } = details;
  if (Array.isArray(problems)) return problems as readonly InputProblem[];
  const [name, text] = [String(key), message.slice(prefix.length)];
  return [{ key: name, problem: text.startsWith(name) ? text.slice(name.length).replace(/^:? /, '') : text }];
}
