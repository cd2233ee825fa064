import { readFileSync } from 'node:fs';
import { VolumeError } from '../base/volume-error.js';
import type { VolumeOptions } from './options.js';
import { parseConfigText } from './parse-config-text.js';
import { readOptions } from './read-options.js';

/** Read where no file is named. It need not be there. */
export const DEFAULT_CONFIG_FILE = '/etc/libvirt-volume/config.toml';

const DEFAULTS = 'the built-in defaults';

export interface ConfigSource {
  /** The file that was named on the command line, or by whoever loads the module. */
  readonly configFile?: string | undefined;
  /** The environment, where `LIBVIRT_VOLUME_CONFIG` may name a file. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** In place of `DEFAULT_CONFIG_FILE`. */
  readonly defaultFile?: string;
}

export interface LoadedConfig {
  readonly options: VolumeOptions;
  /** The file that was read, or the words `the built-in defaults`. */
  readonly origin: string;
}

/**
 * Finds the config file and reads it: the one that is named, else `LIBVIRT_VOLUME_CONFIG`, else
 * /etc/libvirt-volume/config.toml, else the built-in defaults.
 * @throws {VolumeError} `CONFIG_INVALID` as `parseConfigText`, or when a file that was named cannot be read;
 * `PERMISSION_DENIED`
 */
export function loadConfig({
  configFile,
  env = {},
  defaultFile = DEFAULT_CONFIG_FILE,
}: ConfigSource = {}): LoadedConfig {
  const variable = env['LIBVIRT_VOLUME_CONFIG'];
  if (configFile !== undefined) return parsed(read(configFile, 'the one that was named'), configFile);
  if (variable !== undefined && variable !== '')
    return parsed(read(variable, 'named in LIBVIRT_VOLUME_CONFIG'), variable);
  const text = readIfThere(defaultFile);
  return text === undefined ? { options: readOptions({}, DEFAULTS), origin: DEFAULTS } : parsed(text, defaultFile);
}

/** As `loadConfig`, for those who need not know where the options came from. */
export function loadOptions(source: ConfigSource = {}): VolumeOptions {
  return loadConfig(source).options;
}

function parsed(text: string, origin: string): LoadedConfig {
  return { options: parseConfigText(text, origin), origin };
}

function read(file: string, why: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const denied = codeOf(cause) === 'EACCES' || codeOf(cause) === 'EPERM';
    throw new VolumeError(
      denied ? 'PERMISSION_DENIED' : 'CONFIG_INVALID',
      `Cannot read the config file ${file}, ${why}`,
      {
        cause,
        hint: denied
          ? `Let this user read ${file}`
          : 'Name a file that is there; config/libvirt-volume.toml is a sample',
        details: { origin: file },
      },
    );
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
