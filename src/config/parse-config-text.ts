import { parse, TomlError } from 'smol-toml';
import { VolumeError } from '../base/volume-error.js';
import type { VolumeOptions } from './options.js';
import { readOptions } from './read-options.js';

/**
 * Reads the text of a config file.
 * @param origin where the text comes from, for messages
 * @throws {VolumeError} `CONFIG_INVALID` with line and column where it is not TOML; else as `readOptions`
 */
export function parseConfigText(text: string, origin: string): VolumeOptions {
  return readOptions(parseToml(text, origin), origin);
}

function parseToml(text: string, origin: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const { line, column } = error;
    // The message's first line says what is wrong; below it smol-toml draws the place.
    const [what = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
    throw new VolumeError('CONFIG_INVALID', `Cannot read ${origin} as TOML: line ${line}, column ${column}: ${what}`, {
      hint: 'config/libvirt-volume.toml is a sample with every option',
      details: { origin, line, column },
    });
  }
}
