import type { NonEmpty } from '../base/brand.js';
import { isIP } from '../base/ip-address.js';
import { quoted } from '../base/quoted.js';
import { readAll } from '../base/read-all.js';
import { Secret } from '../base/secret.js';
import type { ChapCredentials } from './chap-credentials.js';
import { asBoolean, asPositiveInteger, asText, Fields } from './fields.js';
import { parseHostName } from './host-name.js';
import { DRIVER_VOLUME_TYPES, type DriverVolumeType, type ListedConnection } from './iscsi-connection.js';
import { type Lun, parseAddressingMode, parseLun } from './lun.js';
import type { PortalName } from './portal-name.js';
import { parsePortal, type Portal } from './portal.js';
import { readQosSpecs } from './qos-specs.js';
import { parseTargetName, type TargetName } from './target-name.js';
import { type ListedPath, withoutRepeats } from './target-path.js';

/**
 * The door: what the storage service returned becomes a type, once. The input is not written to.
 * @throws {VolumeError} `CONNECTION_INFO_INVALID` that names the key, says what is wrong with it and what would be
 * right
 */
export function readConnectionInfo(info: unknown): ListedConnection {
  const top = new Fields(info, 'connection_info');
  const { volumeType, serial, multiattach, data } = readAll({
    volumeType: () => top.required('driver_volume_type', asVolumeType),
    serial: () => top.optional('serial', asText),
    multiattach: () => top.optional('multiattach', asBoolean) ?? false,
    data: () => readData(top.object('data')),
  });
  return { ...data, volumeType, volumeId: data.volumeId ?? serial, serial, multiattach };
}

function readData(data: Fields): Omit<ListedConnection, 'volumeType' | 'serial' | 'multiattach'> {
  return readAll({
    volumeId: () => data.optional('volume_id', asText),
    paths: () => readPaths(data),
    chap: () => readChap(data, 'auth'),
    discoveryChap: () => readChap(data, 'discovery_auth'),
    readonly: () => data.optional('access_mode', asAccessMode) === 'ro',
    namesOnePortal: () => !listsPortals(data),
    enforceMultipath: () => data.optional('enforce_multipath', asBoolean) ?? false,
    discard: () => data.optional('discard', asBoolean) ?? false,
    encrypted: () => data.optional('encrypted', asBoolean) ?? false,
    logicalBlockSize: () => data.optional('logical_block_size', asPositiveInteger),
    physicalBlockSize: () => data.optional('physical_block_size', asPositiveInteger),
    qos: () => data.optional('qos_specs', readQosSpecs) ?? {},
    devicePath: () => data.optional('device_path', asDevicePath),
  });
}

function listsPortals(data: Fields): boolean {
  return data.has('target_portals') && data.has('target_iqns');
}

/** The plural keys where both are there (several portals), else the singular ones. */
function readPaths(data: Fields): NonEmpty<ListedPath> {
  const { asKernelLun, paths } = readAll({
    asKernelLun: () => data.optional('addressing_mode', parseAddressingMode) ?? ((lun: Lun): Lun => lun),
    paths: () => (listsPortals(data) ? readListedPaths(data) : [readSinglePath(data)]),
  });
  const [first, ...rest] = withoutRepeats(paths.map((path) => ({ ...path, lun: asKernelLun(path.lun) })));
  if (first === undefined) throw data.invalid('target_portals', 'is empty: expected at least one portal');
  return [first, ...rest];
}

function readSinglePath(data: Fields): ListedPath {
  return readAll({
    target: () => data.required('target_iqn', asTargetName),
    portal: () => data.required('target_portal', asPortal),
    lun: () => readSingleLun(data),
  });
}

/**
 * A single portal without `target_lun` is at LUN 0, as os-brick has it (os_brick/initiator/connectors/base_iscsi.py,
 * _get_all_targets): there are drivers that
 * leave it out. One that is null is a driver's that did not know it, and one beside `target_luns` alone is in doubt:
 * neither is LUN 0.
 */
function readSingleLun(data: Fields): Lun {
  if (data.isGiven('target_lun'))
    return data.required(
      'target_lun',
      parseLun,
      'is null: expected a whole number from 0 to 16383; LUN 0 is meant only where the key is not there',
    );
  if (data.has('target_luns'))
    throw data.invalid(
      'target_lun',
      `is missing: ${data.name('target_luns')} counts only beside target_portals and target_iqns`,
    );
  return parseLun(0);
}

function readListedPaths(data: Fields): readonly ListedPath[] {
  const { portals, targets, luns } = readAll({
    portals: () => data.list('target_portals', asPortal),
    targets: () => data.list('target_iqns', asTargetName),
    luns: () =>
      data.has('target_luns')
        ? data.list('target_luns', parseLun)
        : data.required(
            'target_lun',
            parseLun,
            'is missing: expected it for all portals, or target_luns with one for each',
          ),
  });
  readAll({
    targets: () => {
      requireEqualLength(data, 'target_iqns', targets, portals);
    },
    luns: () => {
      if (typeof luns !== 'number') requireEqualLength(data, 'target_luns', luns, portals);
    },
  });
  return portals.flatMap((portal, index) => {
    const [target, lun] = [targets[index], typeof luns === 'number' ? luns : luns[index]];
    return target === undefined || lun === undefined ? [] : [{ target, portal, lun }];
  });
}

function requireEqualLength(data: Fields, key: string, list: readonly unknown[], portals: readonly unknown[]): void {
  if (list.length !== portals.length) {
    throw data.invalid(
      key,
      `has ${list.length} entries and ${data.name('target_portals')} has ${portals.length}: expected one for each ` +
        'portal',
    );
  }
}

function readChap(data: Fields, prefix: 'auth' | 'discovery_auth'): ChapCredentials | undefined {
  const method = data.optional(`${prefix}_method`, asAuthMethod);
  if (method !== 'CHAP') return undefined;
  return readAll({
    username: () => data.required(`${prefix}_username`, asChapText),
    password: () => data.required(`${prefix}_password`, (value) => new Secret(asSecretText(value))),
  });
}

function asAuthMethod(value: unknown): 'CHAP' | 'None' {
  const method = typeof value === 'string' ? value.toUpperCase() : value;
  if (method === 'CHAP') return 'CHAP';
  if (method === '' || method === 'NONE') return 'None';
  throw new SyntaxError(`expected CHAP, not ${quoted(value)}`);
}

/**
 * open-iscsi's record files hold 255 bytes a value and strip blanks at both ends (usr/idbm.c); a newline would be a
 * record line of its own.
 */
function asChapText(value: unknown): string {
  const text = asText(value);
  if (Buffer.byteLength(text) > 255 || text.trim() !== text)
    throw new SyntaxError('expected 1 to 255 bytes without blanks at either end');
  return text;
}

/** As `asChapText`, with messages that do not quote. */
function asSecretText(value: unknown): string {
  try {
    return asChapText(value);
  } catch {
    throw new SyntaxError('expected text of 1 to 255 bytes without control characters, or blanks at either end');
  }
}

function asVolumeType(value: unknown): DriverVolumeType {
  const type = DRIVER_VOLUME_TYPES.find((known) => known === value);
  if (type === undefined) throw new SyntaxError(`expected ${DRIVER_VOLUME_TYPES.join(' or ')}, not ${quoted(value)}`);
  return type;
}

function asTargetName(value: unknown): TargetName {
  return parseTargetName(asText(value));
}

function asPortal(value: unknown): Portal | PortalName {
  const { address, ...place } = parsePortal(asText(value));
  return isIP(address) === 0
    ? { hostName: parseHostName(address.replace(/\.$/, '')), ...place }
    : { address, ...place };
}

function asAccessMode(value: unknown): 'ro' | 'rw' | undefined {
  if (value === 'ro' || value === 'rw') return value;
  if (value === '') return undefined;
  throw new SyntaxError(`expected ro or rw, not ${quoted(value)}`);
}

function asDevicePath(value: unknown): string {
  const path = asText(value);
  if (!path.startsWith('/') || path.split('/').includes('..'))
    throw new SyntaxError(`expected an absolute path without "..", not ${quoted(value)}`);
  return path;
}
