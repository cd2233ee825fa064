import { errorChain } from '../../base/error-chain.js';
import { ERROR_EXIT_STATUS, isVolumeError } from '../../base/volume-error.js';
import type { CliIo } from '../cli-io.js';
import { jsonText } from './json-text.js';

export interface ErrorReporting {
  readonly io: Pick<CliIo, 'stdout' | 'stderr'>;
  readonly json: boolean;
  readonly verbose: boolean;
}

/** Says what went wrong: one line and a hint on stderr, or one document on stdout. @returns the exit status */
export function reportError(error: unknown, { io, json, verbose }: ErrorReporting): number {
  const message = oneLine(errorChain(error));
  const known = isVolumeError(error) ? error : undefined;
  // What is no VolumeError is a mistake in this program: nobody can decide on it, so its code is in no list.
  const code = known?.code ?? 'INTERNAL';
  const told = { code, message, hint: known?.hint ?? null };
  if (json) io.stdout.write(jsonText({ error: { ...told, ...known?.details, ...told } }));
  else io.stderr.write(`libvirt-volume: ${message}\n${known?.hint === undefined ? '' : `hint: ${known.hint}\n`}`);
  if (verbose && error instanceof Error) io.stderr.write(`${error.stack ?? ''}\n`);
  return known === undefined ? 1 : ERROR_EXIT_STATUS[known.code];
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*[\r\n]+\s*/g, ' ');
}
