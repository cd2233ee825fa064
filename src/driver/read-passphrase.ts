import { quoted } from '../base/quoted.js';
import { Secret } from '../base/secret.js';
import { VolumeError } from '../base/volume-error.js';
import type { VolumeFacts } from '../connection/iscsi-connection.js';
import type { DiskTarget } from '../disk/disk-config.js';
import type { AttachOptions } from './attach-options.js';

/**
 * The passphrase that opens the volume; `undefined` for one that is not encrypted. No message shows it.
 * @throws {VolumeError} `CONNECTION_INFO_INVALID` when the volume is encrypted and none is given: the guest would see
 * ciphertext, and write over it;
 * `DISK_INFO_INVALID` for a lun, whose requests go to the storage past QEMU, which would decrypt; `USAGE` when the
 * passphrase cannot be one, or is for a volume that is not encrypted
 */
export function readPassphrase(
  { encrypted }: VolumeFacts,
  { type }: Pick<DiskTarget, 'type'>,
  { encryption }: AttachOptions,
): Secret | undefined {
  if (!encrypted) {
    if (encryption === undefined) return undefined;
    throw new VolumeError('USAGE', 'Cannot attach the volume: a passphrase is given, and data.encrypted is not true', {
      hint: 'Give the connection_info as the storage service returned it',
    });
  }
  if (encryption === undefined) {
    throw new VolumeError(
      'CONNECTION_INFO_INVALID',
      'Cannot attach the volume: data.encrypted is true, and no passphrase is given: the guest would write over ' +
        'the ciphertext',
      {
        hint:
          'Give the passphrase from the key manager: options.encryption of attach(), or attach ' +
          '--passphrase-file FILE',
        details: { key: 'data.encrypted' },
      },
    );
  }
  if (type === 'lun') {
    throw new VolumeError(
      'DISK_INFO_INVALID',
      'Cannot attach the volume: it is encrypted, and the type is lun: the guest would talk to the storage itself ' +
        'and see ciphertext: expected disk',
      {
        details: { key: 'type' },
      },
    );
  }
  requireLuks(encryption.format);
  return asPassphrase(encryption.passphrase);
}

function requireLuks(format: unknown): void {
  if (format === undefined || format === 'luks') return;
  throw new VolumeError(
    'USAGE',
    `Cannot attach the volume: the encryption is ${quoted(format)}: expected luks, which is LUKS version 1: QEMU ` +
      'opens no other by itself',
    {
      hint:
        'Make the volume of a type whose encryption provider is luks, and copy the data: nothing is decrypted ' +
        'on the host (docs/decisions/0012-qemu-opens-encrypted-volumes.md)',
    },
  );
}

/**
 * QEMU takes text in UTF-8 up to its first NUL (crypto/secret_common.c, qcrypto_secret_lookup_as_utf8;
 * crypto/block-luks.c, strlen of it).
 */
function asPassphrase(given: unknown): Secret {
  const text = given instanceof Secret ? given.reveal() : textOf(given);
  if (text === '') throw unusable('it is empty');
  if (text.includes('\0')) throw unusable('it holds a NUL, at which QEMU stops reading');
  return given instanceof Secret ? given : new Secret(text);
}

function textOf(given: unknown): string {
  if (!(given instanceof Uint8Array)) throw unusable('expected a Secret or a Uint8Array');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(given);
  } catch {
    throw unusable('it is not UTF-8, and QEMU takes no other'); // without the cause, which could quote it
  }
}

function unusable(why: string): VolumeError {
  return new VolumeError('USAGE', `Cannot use the passphrase: ${why}`);
}
