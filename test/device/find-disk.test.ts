import { expect, test } from '@jest/globals';
import { parseLun } from '../../src/connection/lun.js';
import { findDisk, findUnit, unitPath, unitsOn } from '../../src/device/find-disk.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { FakeHost } from '../fakes/fake-host.js';
import { madeSession, showUnit } from './made-session.js';

const session = madeSession({ id: 1, host: 3 });
const open = (): FakeHost => new FakeHost({ clock: new FakeClock() });

test('findDisk() gives path, address, identity and size', async () => {
  const host = open();
  showUnit(host.tree, session, { address: '3:0:0:1', name: 'sdb', size: '2097152', wwid: 'naa.6001405ABCDEF001' });
  expect(await findDisk(session, parseLun(1), host)).toEqual({
    kind: 'disk',
    path: '/dev/sdb',
    address: { host: 3, channel: 0, target: 0, lun: '1' },
    wwid: '36001405abcdef001',
    sizeBytes: 1_073_741_824,
  });
});
test('findDisk() takes LUN 10 for another disk than LUN 1', async () => {
  const host = open();
  showUnit(host.tree, session, { address: '3:0:0:10', name: 'sdk' });
  expect([await findDisk(session, parseLun(1), host), (await findDisk(session, parseLun(10), host))?.path]).toEqual([
    undefined,
    '/dev/sdk',
  ]);
});
test('findDisk() does not find a unit by its channel, target or host', async () => {
  const host = open();
  showUnit(host.tree, session, { address: '3:2:1:0', name: 'sda' });
  expect(await Promise.all([1, 2, 3].map((lun) => findDisk(session, parseLun(lun), host)))).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});
test('findDisk() over an HBA, whose host carries many sessions, uses its own session only', async () => {
  const host = open();
  const sessions = [madeSession({ id: 1, host: 3 }), madeSession({ id: 2, host: 3 }), madeSession({ id: 10, host: 3 })];
  for (const [index, one] of sessions.entries())
    showUnit(host.tree, one, { address: `3:0:${index}:1`, name: `sd${'abc'[index] ?? ''}` });
  expect(await Promise.all(sessions.map(async (one) => (await findDisk(one, parseLun(1), host))?.path))).toEqual([
    '/dev/sda',
    '/dev/sdb',
    '/dev/sdc',
  ]);
});
test.each([
  ['without a size', { size: '0' }],
  ['without a node in /dev', { node: false }],
])('findDisk() finds no disk %s, and findUnit() its WWID', async (_what, lacks) => {
  const host = open();
  showUnit(host.tree, session, { address: '3:0:0:1', name: 'sdb', ...lacks });
  expect(await findDisk(session, parseLun(1), host)).toBeUndefined();
  expect(await findUnit(session, parseLun(1), host)).toEqual({
    address: { host: 3, channel: 0, target: 0, lun: '1' },
    path: '/dev/sdb',
    disk: undefined,
  });
});
test('findDisk() takes a file in place of the node for no disk', async () => {
  const host = open();
  showUnit(host.tree, session, { address: '3:0:0:1', name: 'sdb', node: false });
  host.tree.write('/dev/sdb', 'somebody wrote here');
  expect(await findDisk(session, parseLun(1), host)).toBeUndefined();
});
test('findUnit() finds a unit without a block device', async () => {
  const host = open();
  host.tree.write(`${session.devicePath}/target3:0:0/3:0:0:1/state`, 'running\n');
  expect(await findUnit(session, parseLun(1), host)).toEqual({
    address: { host: 3, channel: 0, target: 0, lun: '1' },
    path: undefined,
    disk: undefined,
  });
});
test('findUnit() of a session without units finds none', async () => {
  expect(await findUnit(session, parseLun(0), open())).toBeUndefined();
});
test('findDisk() finds a disk that reports no WWID', async () => {
  const host = open();
  host.tree.remove(`${showUnit(host.tree, session, { address: '3:0:0:1', name: 'sdb' })}/wwid`);
  expect(await findDisk(session, parseLun(1), host)).toMatchObject({ path: '/dev/sdb', wwid: undefined });
});
test('findDisk() counts the bytes of a disk of 8 PiB exactly', async () => {
  const host = open();
  showUnit(host.tree, session, { address: '3:0:0:1', name: 'sdb', size: '17592186044415' });
  expect((await findDisk(session, parseLun(1), host))?.sizeBytes).toBe(17_592_186_044_415 * 512);
});
test('unitsOn() has the units of every target of the session, and nothing else in its folders', async () => {
  const host = open();
  for (const [address, name] of [
    ['3:0:0:0', 'sda'],
    ['3:0:0:16640', 'sdb'],
    ['3:1:2:5', 'sdc'],
  ] as const)
    showUnit(host.tree, session, { address, name });
  for (const file of ['target3:0:0/power/control', 'target3:0:0/uevent', 'connection1:0/uevent', 'target3:0:x/3:0:0:7'])
    host.tree.write(`${session.devicePath}/${file}`, '');
  expect((await unitsOn(session, host)).map(({ channel, target, lun }) => `${channel}:${target}:${lun}`)).toEqual([
    '0:0:0',
    '0:0:16640',
    '1:2:5',
  ]);
});
test('unitPath() is the folder of the unit', () => {
  expect(unitPath(session, { host: 3, channel: 1, target: 2, lun: '5' })).toBe(
    '/sys/devices/platform/host3/session1/target3:1:2/3:1:2:5',
  );
});
