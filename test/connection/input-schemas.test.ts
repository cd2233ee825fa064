import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { ConnectionInfo } from '../../src/connection/connection-info.js';
import { readConnectionInfo } from '../../src/connection/read-connection-info.js';
import type { DiskInfo } from '../../src/disk/disk-info.js';
import { readDiskInfo } from '../../src/disk/read-disk-info.js';

const schemaOf = (name: string): ValidateFunction =>
  new Ajv2020({ allowUnionTypes: true }).compile(
    JSON.parse(readFileSync(`config/${name}.schema.json`, 'utf8')) as Record<string, unknown>,
  );
const connectionInfo = schemaOf('connection-info');
const diskInfo = schemaOf('disk-info');

const DATA = { target_portal: '192.0.2.10:3260', target_iqn: 'iqn.2010-10.org.openstack:volume-1', target_lun: 1 };
const CONNECTION: ConnectionInfo = { driver_volume_type: 'iscsi', serial: 'volume-1', data: DATA };
const DISK: DiskInfo = { dev: 'sda', bus: 'scsi', unit: 3 };

test.each<[string, ConnectionInfo]>([
  ['one portal', CONNECTION],
  ['one portal without a LUN', { driver_volume_type: 'iser', data: { ...DATA, target_lun: undefined } }],
  [
    'several portals, LUNs as text',
    {
      driver_volume_type: 'iscsi',
      data: { target_portals: ['192.0.2.1', '[::1]:3260'], target_iqns: ['iqn.a', 'iqn.a'], target_luns: ['1', 2] },
    },
  ],
  [
    'null for what is absent',
    { ...CONNECTION, multiattach: null, data: { ...DATA, qos_specs: null, auth_method: null, access_mode: '' } },
  ],
  [
    'every other key',
    {
      ...CONNECTION,
      multiattach: true,
      cluster: 'a key of others',
      data: {
        ...DATA,
        addressing_mode: 'SAM2',
        auth_method: 'chap',
        auth_username: 'u',
        auth_password: 'p',
        encrypted: false,
        discard: true,
        enforce_multipath: false,
        logical_block_size: '512',
        physical_block_size: 4096,
        qos_specs: { read_iops_sec: '10' },
        device_path: '/dev/sda',
      },
    },
  ],
])('readConnectionInfo() and config/connection-info.schema.json take %s', (_what, info) => {
  const plain: unknown = JSON.parse(JSON.stringify(info));
  expect(connectionInfo(plain)).toBe(true);
  expect(() => readConnectionInfo(plain)).not.toThrow();
});

test.each<[string, unknown]>([
  ['no data', { driver_volume_type: 'iscsi' }],
  ['another type', { ...CONNECTION, driver_volume_type: 'rbd' }],
  ['a list as data', { ...CONNECTION, data: [] }],
  ['no target', { ...CONNECTION, data: { target_portal: '192.0.2.10' } }],
  ['null as LUN', { ...CONNECTION, data: { ...DATA, target_lun: null } }],
  ['a LUN above 16383', { ...CONNECTION, data: { ...DATA, target_lun: 16_384 } }],
  ['a LUN as a fraction', { ...CONNECTION, data: { ...DATA, target_lun: 1.5 } }],
  ['another addressing mode', { ...CONNECTION, data: { ...DATA, addressing_mode: 'flat' } }],
  ['text as a boolean', { ...CONNECTION, data: { ...DATA, discard: 'true' } }],
  ['a block size of 0', { ...CONNECTION, data: { ...DATA, logical_block_size: 0 } }],
  ['another authentication', { ...CONNECTION, data: { ...DATA, auth_method: 'SRP' } }],
  ['a device path that is none', { ...CONNECTION, data: { ...DATA, device_path: 'sda' } }],
])('readConnectionInfo() and config/connection-info.schema.json refuse %s', (_what, info) => {
  expect(connectionInfo(info)).toBe(false);
  expect(() => readConnectionInfo(info)).toThrow('Cannot use the connection_info: ');
});

test.each<[string, DiskInfo]>([
  ['dev and bus', { dev: 'vdb', bus: 'virtio' }],
  ['a unit', DISK],
  ['null for what is absent', { ...DISK, type: null, unit: null, queues: null, detect_zeroes: null }],
  [
    'every setting',
    { dev: 'vdb', bus: 'virtio', detect_zeroes: 'unmap', error_policy: 'stop', iothread: '1', queues: 4 },
  ],
  ['a rotation rate', { ...DISK, type: 'disk', rotation_rate: 1, rerror_policy: 'report' }],
])('readDiskInfo() and config/disk-info.schema.json take %s', (_what, info) => {
  expect(diskInfo(info)).toBe(true);
  expect(() => readDiskInfo(info)).not.toThrow();
});

test.each<[string, unknown]>([
  ['a list', []],
  ['no bus', { dev: 'vdb' }],
  ['another bus', { dev: 'vdb', bus: 'xen' }],
  ['a path as dev', { dev: '../vdb', bus: 'virtio' }],
  ['a unit above 255', { ...DISK, unit: 256 }],
  ['another policy', { ...DISK, error_policy: 'panic' }],
])('readDiskInfo() and config/disk-info.schema.json refuse %s', (_what, info) => {
  expect(diskInfo(info)).toBe(false);
  expect(() => readDiskInfo(info)).toThrow('Cannot use the disk_info: ');
});

test('readConnectionInfo() tells all problems at once, each with its key', () => {
  const info = {
    driver_volume_type: 'rbd',
    multiattach: 'yes',
    data: { target_portals: ['192.0.2.1:0', 'a b'], target_iqns: ['../x', 'iqn.a'], discard: 1, access_mode: 'w' },
  };
  expect(problemsOf(() => readConnectionInfo(info))).toEqual([
    'driver_volume_type',
    'multiattach',
    'data.target_portals[0]',
    'data.target_portals[1]',
    'data.target_iqns[0]',
    'data.target_lun',
    'data.access_mode',
    'data.discard',
  ]);
});

test('readDiskInfo() tells all problems at once, each with its key', () => {
  const info = { dev: 'disk1', bus: 'xen', type: 'floppy', unit: 300, queues: 0, error_policy: 'x' };
  expect(problemsOf(() => readDiskInfo(info))).toEqual(['dev', 'bus', 'type', 'unit', 'error_policy', 'queues']);
});

function problemsOf(read: () => unknown): readonly string[] {
  try {
    read();
  } catch (error) {
    const { message, details } = error as Error & {
      readonly details: { readonly problems: readonly { readonly key: string; readonly problem: string }[] };
    };
    for (const { key } of details.problems) expect(message).toContain(key);
    return details.problems.map(({ key }) => key);
  }
  return [];
}
