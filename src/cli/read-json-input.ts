import { readFile } from 'node:fs/promises';
import { VolumeError } from '../base/volume-error.js';
import type { CliIo } from './cli-io.js';
import { parseJson } from './parse-json.js';

/**
 * Reads the JSON files that a command names; `-` is stdin, for one of them.
 * @throws {VolumeError} `USAGE` when the file cannot be read, is not JSON, or is stdin for the second time
 */
export function jsonReader({ stdin }: Pick<CliIo, 'stdin'>): (file: string) => Promise<unknown> {
  let stdinIsRead = false;
  return async (file) => {
    if (file !== '-') return parseJson(await textOf(file), file);
    if (stdinIsRead) throw new VolumeError('USAGE', 'Cannot read stdin twice: only one FILE can be "-"');
    stdinIsRead = true;
    return parseJson(await textFrom(stdin), 'stdin');
  };
}

async function textOf(file: string): Promise<string> {
  try {
    return withoutByteOrderMark(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new VolumeError('USAGE', `Cannot read the file ${file}`, { cause, details: { file } });
  }
}

async function textFrom(stdin: CliIo['stdin']): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of stdin) text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
  return withoutByteOrderMark(text + decoder.decode());
}

function withoutByteOrderMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}
