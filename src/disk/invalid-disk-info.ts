import { quoted } from '../base/quoted.js';
import { invalidInput } from '../base/read-all.js';
import type { VolumeError } from '../base/volume-error.js';

/** The error that every mistake in a disk_info becomes: which key, what is wrong with it, what would be right. */
export function invalidDiskInfo(key: string, problem: string, expected: string): VolumeError {
  return invalidInput('DISK_INFO_INVALID', { key, problem: `${problem}: expected ${expected}` });
}

/** What is wrong with a value, for `invalidDiskInfo`. */
export function stateOf(value: unknown): string {
  return isAbsent(value) ? 'is missing' : `is ${quoted(value)}`;
}

/** `null` counts as absent, as Python's services send it. */
export function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}
