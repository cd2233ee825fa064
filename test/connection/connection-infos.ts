import { isVolumeError, type VolumeError } from '../../src/base/volume-error.js';
import { readConnectionInfo } from '../../src/connection/read-connection-info.js';

export type Json = Readonly<Record<string, unknown>>;

/** A valid connection_info of one path, with changes. */
export function connectionInfo(data: Json = {}, top: Json = {}): Json {
  return {
    driver_volume_type: 'iscsi',
    serial: 's-1',
    data: {
      volume_id: 'v-1',
      target_portal: '192.0.2.10:3260',
      target_iqn: 'iqn.2010-10.org.openstack:volume-1',
      target_lun: 1,
      ...data,
    },
    ...top,
  };
}

/** The error with which the door refuses it. */
export function refusal(info: unknown): VolumeError {
  try {
    readConnectionInfo(info);
  } catch (error) {
    if (isVolumeError(error, 'CONNECTION_INFO_INVALID')) return error;
    throw error;
  }
  throw new Error('It was not refused');
}

export function deepFrozen<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value) as object).forEach(deepFrozen);
  return value;
}

/** A copy in which one part, counted over the whole tree, is another value. */
export function replacedAt(tree: unknown, at: number, value: unknown): unknown {
  const places = placesIn(tree);
  const place = places[at % Math.max(1, places.length)];
  return place === undefined ? value : replaced(tree, place, value);
}

function placesIn(tree: unknown): readonly (readonly string[])[] {
  if (typeof tree !== 'object' || tree === null) return [];
  return Object.entries(tree).flatMap(([key, child]) => [[key], ...placesIn(child).map((place) => [key, ...place])]);
}

function replaced(tree: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined || typeof tree !== 'object' || tree === null) return value;
  const copy: unknown = Array.isArray(tree) ? [...(tree as readonly unknown[])] : { ...tree };
  Object.defineProperty(copy, key, {
    value: replaced(Reflect.get(tree, key), rest, value),
    enumerable: true,
    configurable: true,
    writable: true,
  });
  return copy;
}
