import { readFileSync } from 'node:fs';
import { VolumeError } from '../base/volume-error.js';
import type { VolumeOptions } from './options.js';
import { parseConfigText } from './parse-config-text.js';
import { readOptions } from './read-options.js';

/** Read where no file is named. It need not be there. */
export const DEFAULT_CONFIG_FILE = '/etc/libvirt-volume/config.toml';

export interface ConfigSource {
  /** The file that was named on the command line, or by whoever loads the module. */
  readonly configFile?: string | undefined;
  /** The environment, where `LIBVIRT_VOLUME_CONFIG` may name a file. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** In place of `DEFAULT_CONFIG_FILE`. */
  readonly defaultFile?: string;
}

/**
 * Finds the config file and reads it: the one that is named, else `LIBVIRT_VOLUME_CONFIG`, else /etc/libvirt-volume/config.toml, else the
 * built-in defaults.
 * @throws {VolumeError} `CONFIG_INVALID` as `parseConfigText`, or when a file that was named cannot be read; `PERMISSION_DENIED`
 */
export function loadOptions({ configFile, env = {}, defaultFile = DEFAULT_CONFIG_FILE }: ConfigSource = {}): VolumeOptions {
  const variable = env['LIBVIRT_VOLUME_CONFIG'];
  if (configFile !== undefined) return parseConfigText(read(configFile, 'the one that was named'), configFile);
  if (variable !== undefined && variable !== '') return parseConfigText(read(variable, 'named in LIBVIRT_VOLUME_CONFIG'), variable);
  const text = readIfThere(defaultFile);
  return text === undefined ? readOptions({}, 'the built-in defaults') : parseConfigText(text, defaultFile);
}

function read(file: string, why: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const denied = codeOf(cause) === 'EACCES' || codeOf(cause) === 'EPERM';
    throw new VolumeError(denied ? 'PERMISSION_DENIED' : 'CONFIG_INVALID', `Cannot read the config file ${file}, ${why}`, {
      cause,
      hint: denied ? `Let this user read ${file}` : 'Name a file that is there; config/libvirt-volume.toml is a sample',
      details: { origin: file },
    });
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return read(file, 'the default one');
  } catch (error) {
    if (error instanceof VolumeError && codeOf(error.cause) === 'ENOENT') return undefined;
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
