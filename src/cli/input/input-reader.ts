import { readFile } from 'node:fs/promises';
import { VolumeError } from '../../base/volume-error.js';
import type { CliIo } from '../cli-io.js';

/**
 * Reads the files that a command names; `-` is stdin, for one of them.
 * @throws {VolumeError} `USAGE` when the file cannot be read, or is stdin for the second time
 */
export function inputReader({ stdin }: Pick<CliIo, 'stdin'>): (file: string) => Promise<Uint8Array> {
  let stdinIsRead = false;
  return async (file) => {
    if (file !== '-') return await bytesOf(file);
    if (stdinIsRead) throw new VolumeError('USAGE', 'Cannot read stdin twice: only one FILE can be "-"');
    stdinIsRead = true;
    return await bytesFrom(stdin);
  };
}

async function bytesOf(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new VolumeError('USAGE', `Cannot read the file ${file}`, { cause, details: { file } });
  }
}

async function bytesFrom(stdin: CliIo['stdin']): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stdin) chunks.push(typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk);
  return Buffer.concat(chunks);
}
