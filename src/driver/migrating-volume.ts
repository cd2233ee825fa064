import { quoted } from '../base/quoted.js';
import { VolumeError } from '../base/volume-error.js';

/**
 * A volume of a guest that is to move to another host, as the source has it: what prepareMigration() saw, and what the
 * other calls of the migration are told. JSON-serialisable, for the compute service keeps it until the migration is
 * over, and sends it to the other host.
 */
export interface MigratingVolume {
  readonly guest: { readonly name: string; readonly uuid: string };
  /** What the storage calls the volume on every host: the proof that both mean the same one. */
  readonly wwid: string;
  /** What the source's device is. The destination's may be of the other kind. */
  readonly kind: 'disk' | 'multipath';
  /** The device on the source, as the guest's description has it. */
  readonly sourcePath: string;
  /** The name in the guest: `vdb`. */
  readonly targetDev: string;
  /** The alias that attach() gave the disk (`ua-…`). */
  readonly alias?: string;
  /** The source's libvirt secret of an encrypted volume. */
  readonly secretUuid?: string;
}

/**
 * Reads what has been kept, or has come from the other host.
 * @throws {VolumeError} `USAGE` that names the key
 */
export function readMigratingVolume(value: unknown): MigratingVolume {
  const given = asObject(value, 'the migrating volume');
  const guest = asObject(given['guest'], 'guest');
  const { kind } = given;
  if (kind !== 'disk' && kind !== 'multipath') throw unusable('kind', kind, 'disk or multipath');
  return {
    guest: { name: asText(guest['name'], 'guest.name'), uuid: asText(guest['uuid'], 'guest.uuid') },
    wwid: asText(given['wwid'], 'wwid'),
    kind,
    sourcePath: asText(given['sourcePath'], 'sourcePath'),
    targetDev: asText(given['targetDev'], 'targetDev'),
    ...(isAbsent(given['alias']) ? {} : { alias: asText(given['alias'], 'alias') }),
    ...(isAbsent(given['secretUuid']) ? {} : { secretUuid: asText(given['secretUuid'], 'secretUuid') }),
  };
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function asObject(value: unknown, key: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unusable(key, value, 'an object');
  return value as Readonly<Record<string, unknown>>;
}

function asText(value: unknown, key: string): string {
  if (typeof value !== 'string' || value === '') throw unusable(key, value, 'a text');
  return value;
}

function unusable(key: string, value: unknown, expected: string): VolumeError {
  return new VolumeError(
    'USAGE',
    `Cannot use the migrating volume: ${key} is ${value === undefined ? 'missing' : quoted(value)}: expected ` +
      expected,
    { hint: 'give it as prepareMigration() returned it', details: { key } },
  );
}
