import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { errorChain } from '../../src/base/error-chain.js';
import { VolumeError } from '../../src/base/volume-error.js';
import type { ListedConnection } from '../../src/connection/iscsi-connection.js';
import { readConnectionInfo } from '../../src/connection/read-connection-info.js';
import { openFakeWorld } from '../fakes/fake-world.js';
import { connectionInfo, deepFrozen, type Json, refusal, replacedAt } from './connection-infos.js';

const IQN = 'iqn.2010-10.org.openstack:volume-1';
const read = (data: Json, top: Json = {}): ListedConnection =>
  readConnectionInfo(deepFrozen(connectionInfo(data, top)));

describe('readConnectionInfo() reads', () => {
  test('readConnectionInfo() reads a volume with one path', () => {
    expect(read({})).toEqual({
      volumeType: 'iscsi',
      volumeId: 'v-1',
      serial: 's-1',
      chap: undefined,
      discoveryChap: undefined,
      readonly: false,
      multiattach: false,
      namesOnePortal: true,
      enforceMultipath: false,
      discard: false,
      encrypted: false,
      logicalBlockSize: undefined,
      physicalBlockSize: undefined,
      qos: {},
      devicePath: undefined,
      paths: [{ target: IQN, portal: { address: '192.0.2.10', port: 3260 }, lun: 1 }],
    });
  });
  test('readConnectionInfo() prefers the plural keys to the singular ones', () => {
    const { paths } = read({
      target_portals: ['192.0.2.1:3261', '[2001:DB8::2]:3260'],
      target_iqns: [IQN, `${IQN}b`],
      target_luns: [4, '5'],
    });
    expect(paths).toEqual([
      { target: IQN, portal: { address: '192.0.2.1', port: 3261 }, lun: 4 },
      { target: `${IQN}b`, portal: { address: '2001:db8::2', port: 3260 }, lun: 5 },
    ]);
  });
  test('readConnectionInfo() reads a portal by name, in lower case, beside one by address', () => {
    const { paths } = read({ target_portals: ['Storage-1.Example.ORG:3261,2', '192.0.2.1'], target_iqns: [IQN, IQN] });
    expect(paths.map(({ portal }) => portal)).toEqual([
      { hostName: 'storage-1.example.org', port: 3261, tpgt: 2 },
      { address: '192.0.2.1', port: 3260 },
    ]);
  });
  test('readConnectionInfo() reads a name that is listed twice as one path', () => {
    expect(
      read({ target_portals: ['storage:3260', 'STORAGE', 'storage:3261'], target_iqns: [IQN, IQN, IQN] }).paths,
    ).toHaveLength(2);
  });
  test('readConnectionInfo() reads plural portals without target_luns, each with target_lun', () => {
    expect(
      read({ target_portals: ['192.0.2.1:3260', '192.0.2.2:3260'], target_iqns: [IQN, IQN] }).paths.map(
        ({ lun }) => lun,
      ),
    ).toEqual([1, 1]);
  });
  test.each<[string, Json]>([
    ['of a single portal without target_lun', {}],
    ['beside lists that are not whole', { target_portals: ['192.0.2.1'] }],
    ['beside null lists', { target_portals: null, target_iqns: null, target_luns: null }],
  ])('readConnectionInfo() reads LUN 0 %s, as os-brick does', (_name, data) => {
    expect(read({ target_lun: undefined, ...data }).paths.map(({ lun }) => lun)).toEqual([0]);
  });
  test('readConnectionInfo() reads a portal by the absolute form of its name', () => {
    expect(read({ target_portal: 'Storage-1.example.org.:3261' }).paths[0].portal).toEqual({
      hostName: 'storage-1.example.org',
      port: 3261,
    });
  });
  test('readConnectionInfo() reads a path that is listed in two spellings as one', () => {
    expect(
      read({
        target_portals: ['[2001:db8::1]:3260', '[2001:DB8:0:0::1]'],
        target_iqns: [IQN, IQN],
        target_luns: [1, 1],
      }).paths,
    ).toHaveLength(1);
  });
  test.each<[string, Json, Json, Partial<ListedConnection>]>([
    ['the serial as volume id', { volume_id: null }, {}, { volumeId: 's-1' }],
    ['no serial', {}, { serial: null }, { serial: undefined, volumeId: 'v-1' }],
    ['access_mode ro', { access_mode: 'ro' }, {}, { readonly: true }],
    ['access_mode rw', { access_mode: 'rw' }, {}, { readonly: false }],
    ['an empty access_mode', { access_mode: '' }, {}, { readonly: false }],
    ['discard', { discard: true }, {}, { discard: true }],
    ['encrypted', { encrypted: true }, {}, { encrypted: true }],
    ['multiattach', {}, { multiattach: true }, { multiattach: true }],
    ['the iser type', {}, { driver_volume_type: 'iser' }, { volumeType: 'iser' }],
    [
      'block sizes as number and text',
      { logical_block_size: 512, physical_block_size: '4096' },
      {},
      { logicalBlockSize: 512, physicalBlockSize: 4096 },
    ],
    ['device_path', { device_path: '/dev/sda' }, {}, { devicePath: '/dev/sda' }],
    [
      "qos, without what is the back end's business",
      { qos_specs: { read_bytes_sec: 1024, total_iops_sec: '500', minIOPS: 'x' } },
      {},
      { qos: { read_bytes_sec: '1024', total_iops_sec: '500' } },
    ],
    [
      'a limit of 0, which is none, beside a total',
      { qos_specs: { total_iops_sec: '500', read_iops_sec: 0, write_iops_sec: '00' } },
      {},
      { qos: { total_iops_sec: '500', read_iops_sec: '0', write_iops_sec: '00' } },
    ],
    ['no qos from null', { qos_specs: null }, {}, { qos: {} }],
    ['auth_method None', { auth_method: 'None' }, {}, { chap: undefined }],
  ])('readConnectionInfo() reads %s', (_name, data, top, expected) => {
    expect(read(data, top)).toMatchObject(expected);
  });
  test('readConnectionInfo() reads CHAP, with a password that prints nowhere', () => {
    const connection = read({ auth_method: 'chap', auth_username: 'u', auth_password: 'hush-hush' });
    expect(connection.chap?.password.reveal()).toBe('hush-hush');
    expect(
      inspect(connection, { depth: null }) + JSON.stringify(connection) + String(connection.chap?.password),
    ).not.toContain('hush');
  });
  test('readConnectionInfo() reads CHAP for discovery', () => {
    expect(
      read({ discovery_auth_method: 'CHAP', discovery_auth_username: 'u', discovery_auth_password: 'p' }).discoveryChap
        ?.username,
    ).toBe('u');
  });
  test.each<[string, number, number]>([
    ['SAM', 300, 300],
    ['transparent', 300, 300],
    ['SAM2', 255, 255],
    ['SAM2', 256, 16_640],
    ['SAM3-flat', 1, 16_385],
  ])("readConnectionInfo() with addressing_mode %s gives LUN %d as the kernel's %d", (addressing_mode, lun, kernel) => {
    expect(read({ addressing_mode, target_lun: lun }).paths[0].lun).toBe(kernel);
  });
  test.each([
    ['0', 0],
    [0, 0],
    ['16383', 16_383],
  ])('readConnectionInfo() reads target_lun %p', (target_lun, lun) => {
    expect(read({ target_lun }).paths[0].lun).toBe(lun);
  });
});

describe('readConnectionInfo() refuses', () => {
  test.each<[string, string, Json, Json, RegExp]>([
    [
      'no driver_volume_type',
      'driver_volume_type',
      {},
      { driver_volume_type: undefined },
      /driver_volume_type is missing/,
    ],
    [
      'another driver_volume_type',
      'driver_volume_type',
      {},
      { driver_volume_type: 'rbd' },
      /expected iscsi or iser, not "rbd"/,
    ],
    ['no data', 'data', {}, { data: null }, /data is missing: expected an object/],
    ['a list as data', 'data', {}, { data: [] }, /data is a list: expected an object/],
    ['an empty serial', 'serial', {}, { serial: '' }, /serial: expected text/],
    ['a number as multiattach', 'multiattach', {}, { multiattach: 1 }, /expected true or false, not 1/],
    ['no target_portal', 'data.target_portal', { target_portal: null }, {}, /data.target_portal is missing/],
    ['no target_iqn', 'data.target_iqn', { target_iqn: undefined }, {}, /data.target_iqn is missing/],
    [
      'null as target_lun',
      'data.target_lun',
      { target_lun: null },
      {},
      /data.target_lun is null: expected a whole number from 0 to 16383; LUN 0 is meant only where the key is/,
    ],
    ['true as target_lun', 'data.target_lun', { target_lun: true }, {}, /Cannot read true as a LUN/],
    [
      'target_luns beside a single portal',
      'data.target_lun',
      { target_lun: undefined, target_luns: [5] },
      {},
      /is missing: data.target_luns counts only beside target_portals and target_iqns/,
    ],
    [
      'several portals without any LUN',
      'data.target_lun',
      { target_portals: ['192.0.2.1'], target_iqns: [IQN], target_lun: undefined },
      {},
      /is missing: expected it for all portals, or target_luns with one for each/,
    ],
    [
      'several portals with null for their LUN',
      'data.target_lun',
      { target_portals: ['192.0.2.1'], target_iqns: [IQN], target_luns: null, target_lun: null },
      {},
      /data.target_lun is missing/,
    ],
    [
      'no LUNs for portals',
      'data.target_luns',
      { target_portals: ['192.0.2.1'], target_iqns: [IQN], target_luns: [] },
      {},
      /has 0 entries and data.target_portals has 1/,
    ],
    [
      'fewer LUNs than portals',
      'data.target_luns',
      { target_portals: ['192.0.2.1', '192.0.2.2'], target_iqns: [IQN, IQN], target_luns: [1] },
      {},
      /has 1 entries and data.target_portals has 2/,
    ],
    [
      'null among LUNs',
      'data.target_luns[1]',
      { target_portals: ['192.0.2.1', '192.0.2.2'], target_iqns: [IQN, IQN], target_luns: [1, null] },
      {},
      /Cannot read null as a LUN/,
    ],
    [
      'IPv6 and perhaps a port without brackets',
      'data.target_portal',
      { target_portal: '2001:db8::21:3260' },
      {},
      /it may be \[2001:db8::21\]:3260 or, without a port, \[2001:db8::21:3260\]/,
    ],
    [
      'fewer IQNs than portals',
      'data.target_iqns',
      { target_portals: ['192.0.2.1', '192.0.2.2'], target_iqns: [IQN] },
      {},
      /has 1 entries and data.target_portals has 2: expected one for each portal/,
    ],
    [
      'more LUNs than portals',
      'data.target_luns',
      { target_portals: ['192.0.2.1'], target_iqns: [IQN], target_luns: [1, 2] },
      {},
      /has 2 entries and data.target_portals has 1/,
    ],
    [
      'empty lists',
      'data.target_portals',
      { target_portals: [], target_iqns: [] },
      {},
      /is empty: expected at least one portal/,
    ],
    [
      'text as a list',
      'data.target_portals',
      { target_portals: '192.0.2.1', target_iqns: [IQN] },
      {},
      /expected a list/,
    ],
    [
      'a bad entry of a list',
      'data.target_portals[1]',
      { target_portals: ['192.0.2.1', 7], target_iqns: [IQN, IQN] },
      {},
      /not 7/,
    ],
    ['port 0', 'data.target_portal', { target_portal: '192.0.2.1:0' }, {}, /a port from 1 to 65535/],
    ['port 65536', 'data.target_portal', { target_portal: '192.0.2.1:65536' }, {}, /a port from 1 to 65535/],
    [
      'a host name with two dots',
      'data.target_portal',
      { target_portal: 'storage..example.org:3260' },
      {},
      /expected address:port/,
    ],
    [
      'a host name with an empty part',
      'data.target_portal',
      { target_portal: 'storage.-.example.org' },
      {},
      /Cannot read "storage.-.example.org" as a host name: expected letters, digits and "-" between dots/,
    ],
    [
      'a host name that an address could be',
      'data.target_portal',
      { target_portal: 'storage.7' },
      {},
      /Cannot read "storage.7" as a host name/,
    ],
    [
      'an address that is none',
      'data.target_portal',
      { target_portal: '10.0.0.256:3260' },
      {},
      /expected address:port/,
    ],
    ['a portal that is an option', 'data.target_portal', { target_portal: '--login' }, {}, /expected address:port/],
    ['an IQN with ..', 'data.target_iqn', { target_iqn: 'iqn.2010-10.org:a/../../b' }, {}, /expected the form iqn/],
    ['an IQN with two dots', 'data.target_iqn', { target_iqn: 'iqn.2010-10.org:a..b' }, {}, /expected the form iqn/],
    [
      'an IQN with a newline',
      'data.target_iqn',
      { target_iqn: `${IQN}\nnode.startup = automatic` },
      {},
      /without control characters/,
    ],
    ['an IQN with a slash', 'data.target_iqn', { target_iqn: 'iqn.2010-10.org:a/b' }, {}, /expected the form iqn/],
    ['an IQN that is an option', 'data.target_iqn', { target_iqn: '-iqn.2010-10.org:a' }, {}, /expected the form iqn/],
    ['an IQN of 224 characters', 'data.target_iqn', { target_iqn: IQN.padEnd(224, 'x') }, {}, /expected the form iqn/],
    ['LUN -1', 'data.target_lun', { target_lun: -1 }, {}, /expected a whole number from 0 to 16383/],
    ['LUN 16384', 'data.target_lun', { target_lun: 16_384 }, {}, /expected a whole number from 0 to 16383/],
    ['LUN 1.5', 'data.target_lun', { target_lun: 1.5 }, {}, /Cannot read 1.5 as a LUN/],
    ['LUN text', 'data.target_lun', { target_lun: 'one' }, {}, /Cannot read "one" as a LUN/],
    ['a LUN with a blank', 'data.target_lun', { target_lun: '1 - -' }, {}, /Cannot read "1 - -" as a LUN/],
    ['access_mode wo', 'data.access_mode', { access_mode: 'wo' }, {}, /expected ro or rw, not "wo"/],
    ['another auth_method', 'data.auth_method', { auth_method: 'SRP' }, {}, /expected CHAP, not "SRP"/],
    [
      'CHAP without password',
      'data.auth_password',
      { auth_method: 'CHAP', auth_username: 'u' },
      {},
      /data.auth_password is missing/,
    ],
    [
      'CHAP without username',
      'data.auth_username',
      { auth_method: 'CHAP', auth_password: 'p' },
      {},
      /data.auth_username is missing/,
    ],
    [
      'a username with blanks around',
      'data.auth_username',
      { auth_method: 'CHAP', auth_username: ' u', auth_password: 'p' },
      {},
      /without blanks at either end/,
    ],
    [
      'discovery CHAP without password',
      'data.discovery_auth_password',
      { discovery_auth_method: 'CHAP', discovery_auth_username: 'u' },
      {},
      /is missing/,
    ],
    [
      'an unknown addressing_mode',
      'data.addressing_mode',
      { addressing_mode: 'SAM9' },
      {},
      /expected SAM, transparent, SAM2 or SAM3-flat/,
    ],
    ['qos that is no object', 'data.qos_specs', { qos_specs: 7 }, {}, /expected an object, not 7/],
    [
      'a throttle below zero',
      'data.qos_specs',
      { qos_specs: { read_iops_sec: -1 } },
      {},
      /read_iops_sec is -1: expected a whole number/,
    ],
    [
      'a total beside a read limit (W-28)',
      'data.qos_specs',
      { qos_specs: { total_iops_sec: 1, read_iops_sec: 1 } },
      {},
      /cannot stand beside/,
    ],
    ['a block size of 0', 'data.logical_block_size', { logical_block_size: 0 }, {}, /expected a whole number above 0/],
    ['discard as text', 'data.discard', { discard: 'true' }, {}, /expected true or false/],
    ['encrypted as text', 'data.encrypted', { encrypted: 'no' }, {}, /expected true or false/],
    ['a relative device_path', 'data.device_path', { device_path: 'dev/sda' }, {}, /expected an absolute path/],
    ['a device_path that climbs', 'data.device_path', { device_path: '/dev/../etc/shadow' }, {}, /without ".."/],
  ])('readConnectionInfo() refuses %s', (_name, key, data, top, message) => {
    const error = refusal(deepFrozen(connectionInfo(data, top)));
    expect({ code: error.code, key: error.details['key'] }).toEqual({ code: 'CONNECTION_INFO_INVALID', key });
    expect(error.message).toContain(key);
    expect(error.message).toMatch(message);
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['text', '{}'],
    ['a list', []],
  ])('readConnectionInfo() refuses %s in place of an object', (_name, info) => {
    expect(refusal(info).details).toEqual({ key: 'connection_info' });
  });

  test.each<[string, unknown]>([
    ['a newline', 'hush-hush\nnode.startup = automatic'],
    ['a blank at the end', 'hush-hush '],
    ['256 characters', 'hush'.repeat(64)],
    ['a list', ['hush-hush']],
  ])('readConnectionInfo() refuses a CHAP password with %s, without showing it', (_name, auth_password) => {
    const error = refusal(connectionInfo({ auth_method: 'CHAP', auth_username: 'u', auth_password }));
    expect(error.details).toEqual({ key: 'data.auth_password' });
    expect(inspect(error, { depth: null }) + errorChain(error)).not.toContain('hush');
  });

  test.each<[string, unknown]>([
    ['JSON text as connection_info', JSON.stringify({ auth_password: 'hush-hush' })],
    ['JSON text as data', connectionInfo({}, { data: '{"auth_password":"hush-hush"}' })],
    ['a list as data', connectionInfo({}, { data: [{ auth_password: 'hush-hush' }] })],
  ])('readConnectionInfo() refuses %s, without showing the password in it', (_name, info) => {
    expect(inspect(refusal(info), { depth: null })).not.toContain('hush');
  });
});

/** Valid ones, and valid ones with some parts replaced by random JSON. */
const anyInfo = fc.oneof(
  fc.jsonValue(),
  fc.array(fc.tuple(fc.nat(), fc.jsonValue()), { minLength: 1, maxLength: 4 }).map((changes) => {
    const full = connectionInfo({
      target_portals: ['192.0.2.1:3260', '[2001:db8::1]:3260'],
      target_iqns: [IQN, IQN],
      target_luns: [1, 1],
      auth_method: 'CHAP',
      auth_username: 'u',
      auth_password: 'p',
      access_mode: 'rw',
      addressing_mode: 'SAM2',
      qos_specs: { read_iops_sec: 1 },
      logical_block_size: 512,
      device_path: '/dev/sda',
    });
    return changes.reduce<unknown>((info, [at, value]) => replacedAt(info, at, value), full);
  }),
);

test('readConnectionInfo() of anything gives a connection or names a key, and never mutates it', () => {
  fc.assert(
    fc.property(anyInfo, (info) => {
      try {
        expect(readConnectionInfo(deepFrozen(info)).paths.length).toBeGreaterThan(0);
      } catch (error) {
        expect(error).toBeInstanceOf(VolumeError);
        expect(error).toMatchObject({
          code: 'CONNECTION_INFO_INVALID',
          details: { key: expect.stringMatching(/./) as unknown },
        });
      }
    }),
    { numRuns: 3000 },
  );
});

test('connect() of an invalid connection_info runs no command and takes no lock', async () => {
  await fc.assert(
    fc.asyncProperty(anyInfo, async (info) => {
      const valid = ((): boolean => {
        try {
          readConnectionInfo(info);
          return true;
        } catch {
          return false;
        }
      })();
      fc.pre(!valid);
      await using world = openFakeWorld();
      const before = world.host.tree.paths();
      await expect(world.driver.connect(deepFrozen(info))).rejects.toMatchObject({ code: 'CONNECTION_INFO_INVALID' });
      expect({ commands: world.host.commands, files: world.host.tree.paths() }).toEqual({
        commands: [],
        files: before,
      });
    }),
    { numRuns: 200 },
  );
});
