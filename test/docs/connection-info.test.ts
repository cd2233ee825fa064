import { expect, test } from '@jest/globals';
import { QOS_KEYS } from '../../src/connection/qos-specs.js';
import { readConnectionInfo } from '../../src/connection/read-connection-info.js';
import { BUSES, DEVICE_TYPES } from '../../src/disk/disk-config.js';
import { SETTING_KEYS } from '../../src/disk/disk-settings.js';
import { readDiskInfo } from '../../src/disk/read-disk-info.js';
import { readPage } from './read-page.js';

type Json = Readonly<Record<string, unknown>>;

const page = readPage('docs/connection-info.md');
const [whole = {}, least = {}, diskInfo = {}] = [...page.matchAll(/^```json\n(.*?)^```/gms)].map(
  ([, text = '']) => JSON.parse(text) as Json,
);
const data = whole['data'] as Json;
/** The first column of every table. */
const rows = [...page.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell = '']) =>
  [...cell.matchAll(/`(\w+)`/g)].map(([, key = '']) => key),
);

/** The object, and into `asked` whatever key is looked for in it. */
function watched(object: Json, asked: Set<string>): Json {
  const note = (key: string | symbol): void => {
    if (typeof key === 'string') asked.add(key);
  };
  return new Proxy(object, {
    get: (target, key) => {
      note(key);
      return Reflect.get(target, key) as unknown;
    },
    has: (target, key) => {
      note(key);
      return Reflect.has(target, key);
    },
    getOwnPropertyDescriptor: (target, key) => {
      note(key);
      return Reflect.getOwnPropertyDescriptor(target, key);
    },
  });
}

test('docs/connection-info.md: readConnectionInfo() takes the whole sample and the least one', () => {
  expect(readConnectionInfo(whole).paths).toHaveLength(2);
  expect(readConnectionInfo(least).paths).toMatchObject([{ lun: 0 }]);
});

test('docs/connection-info.md has every key that is read, and no other, in its sample and in its tables', () => {
  const [atTop, inData] = [new Set<string>(), new Set<string>()];
  const { target_portals, target_iqns, ...onePortal } = data;
  expect([target_portals, target_iqns]).not.toContain(undefined);
  for (const one of [data, onePortal]) readConnectionInfo(watched({ ...whole, data: watched(one, inData) }, atTop));
  expect([...atTop].toSorted()).toEqual(Object.keys(whole).toSorted());
  expect([...inData].toSorted()).toEqual(Object.keys(data).toSorted());
  const ofDisks = ['dev', 'bus', 'type', 'unit', ...Object.values(SETTING_KEYS)];
  expect(rows.toSorted()).toEqual([...atTop, ...inData, ...ofDisks].toSorted());
});

test('docs/connection-info.md lists the keys of qos_specs, and what a disk_info may say', () => {
  const [, listed = ''] = /Keys of `qos_specs`: ([^.]+)\./.exec(page) ?? [];
  expect([...listed.matchAll(/`(\w+)`/g)].map(([, key]) => key)).toEqual(QOS_KEYS);
  expect(readDiskInfo(diskInfo)).toMatchObject({ dev: 'vdb', bus: 'virtio', type: 'disk' });
  for (const word of [...BUSES, ...DEVICE_TYPES]) expect(page).toContain(`\`${word}\``);
});
