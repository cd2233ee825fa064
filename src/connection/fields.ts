import { quoted } from '../base/quoted.js';
import { invalidInput, readAll } from '../base/read-all.js';
import type { VolumeError } from '../base/volume-error.js';

/** One JSON object of a connection_info, read key by key. `null` counts as absent, as Python's services send it. */
export class Fields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #path: string;

  /** @throws {VolumeError} `CONNECTION_INFO_INVALID` when the value is not an object */
  constructor(value: unknown, path: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw invalid(
        path,
        value === undefined || value === null
          ? 'is missing: expected an object'
          : `is ${kindOf(value)}: expected an object`,
      );
    }
    this.#values = value as Readonly<Record<string, unknown>>;
    this.#path = path;
  }

  /** The key as messages name it: `data.target_portal`. */
  name(key: string): string {
    return this.#path === 'connection_info' ? key : `${this.#path}.${key}`;
  }

  has(key: string): boolean {
    return this.#value(key) !== undefined;
  }

  /** Whether the key is there, be it with null. */
  isGiven(key: string): boolean {
    return Object.hasOwn(this.#values, key) && this.#values[key] !== undefined;
  }

  object(key: string): Fields {
    return new Fields(this.#value(key), this.name(key));
  }

  optional<Result>(key: string, read: (value: unknown) => Result): Result | undefined {
    const value = this.#value(key);
    return value === undefined ? undefined : this.#read(key, value, read);
  }

  required<Result>(key: string, read: (value: unknown) => Result, problem = 'is missing'): Result {
    const value = this.#value(key);
    if (value === undefined) throw invalid(this.name(key), problem);
    return this.#read(key, value, read);
  }

  list<Result>(key: string, read: (value: unknown) => Result): readonly Result[] {
    const value = this.#value(key);
    if (!Array.isArray(value)) throw invalid(this.name(key), `is ${quoted(value)}: expected a list`);
    const reads = value.map((item: unknown, index) => () => this.#read(`${key}[${index}]`, item, read));
    return Object.values(readAll<Readonly<Record<string, Result>>>(Object.fromEntries(reads.entries())));
  }

  invalid(key: string, problem: string): VolumeError {
    return invalid(this.name(key), problem);
  }

  #value(key: string): unknown {
    return Object.hasOwn(this.#values, key) ? (this.#values[key] ?? undefined) : undefined;
  }

  #read<Result>(key: string, value: unknown, read: (value: unknown) => Result): Result {
    try {
      return read(value);
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof RangeError)
        throw invalid(this.name(key), error.message, ': ');
      throw error;
    }
  }
}

/** In words, not quoted: what stands in an object's place may hold its secrets. */
function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'string' ? 'text' : `a ${typeof value}`;
}

function invalid(key: string, problem: string, joint = ' '): VolumeError {
  return invalidInput('CONNECTION_INFO_INVALID', { key, problem }, `${key}${joint}${problem}`);
}

// eslint-disable-next-line no-control-regex -- control characters are what is refused
const CONTROL = /[\u0000-\u001f\u007f]/;

/** Text that may go into XML, a record file or a message: not empty, no control characters. */
export function asText(value: unknown): string {
  if (typeof value !== 'string' || value === '' || CONTROL.test(value)) {
    throw new SyntaxError(`expected text without control characters, not ${quoted(value)}`);
  }
  return value;
}

export function asBoolean(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new SyntaxError(`expected true or false, not ${quoted(value)}`);
  return value;
}

/** A whole number above zero, as number or text. */
export function asPositiveInteger(value: unknown): number {
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number) || number <= 0) {
    throw new RangeError(`expected a whole number above 0, not ${quoted(value)}`);
  }
  return number;
}
