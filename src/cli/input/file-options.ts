import { Option } from 'commander';
import type { DisconnectOptions } from '../../volume/released-volume.js';

/** `--connection-info FILE`, which most commands need. */
export function connectionInfoOption(): Option {
  return new Option(
    '--connection-info <FILE>',
    "the storage service's connection_info as JSON; - is stdin",
  ).makeOptionMandatory();
}

/** `--force`, of the commands that take a volume away. */
export function forceOption(): Option {
  return new Option(
    '--force',
    'goes on past failures and reports all of them in the end; data that was not written out may be lost',
  );
}

/** `--wwid W`, of the same commands. */
export function wwidOption(): Option {
  return new Option(
    '--wwid <WWID>',
    'the volume that must be there, as connect said; when another one is, nothing is touched',
  );
}

/** What such a command hands on. */
export interface ReleaseFlags {
  readonly connectionInfo: string;
  readonly force?: boolean;
  readonly wwid?: string;
}

export function disconnectOptions({ force = false, wwid }: ReleaseFlags): DisconnectOptions {
  return wwid === undefined ? { force } : { force, wwid };
}
