import { describe, expect, test } from '@jest/globals';
import type { FakeSession } from '../fakes/fake-kernel.js';
import { ROOT } from '../fakes/fake-release.js';
import { FakeTarget } from '../fakes/fake-target.js';
import { addTarget, infoFor, IQN, openRecordedWorld, type RecordedWorld, WWID } from './recorded-world.js';

/** What an administrator, nova or the boot has on this host, with the portal in a spelling of their own. */
interface TheirPortal {
  /** What the target listens at, and the storage service says. */
  readonly address: string;
  /** What they gave to open-iscsi. */
  readonly spelled: string;
}

const IPV6 = '2001:db8::9';
const NAME = 'Storage-1.example.org.';
const SPELLINGS: readonly TheirPortal[] = [
  ...[
    '2001:DB8:0:0::9',
    '2001:db8:0:0:0:0:0:9',
    '2001:0db8:0000:0000:0000:0000:0000:0009',
    '2001:db8::0.0.0.9',
    '2001:DB8::0:9',
  ].map((spelled) => ({ address: IPV6, spelled })),
  ...['fe80:0::A1%eth1', 'FE80::a1%eth1'].map((spelled) => ({ address: 'fe80::a1%eth1', spelled })),
  ...[
    '192.0.2.012',
    '192.0.522',
    '0xc0.0.2.10',
    '3221225994',
    '::ffff:192.0.2.10',
    '::FFFF:C000:20A',
    NAME,
    'storage_1',
    '192.0.2.10',
  ].map((spelled) => ({ address: '192.0.2.10', spelled })),
];

function open(address: string): RecordedWorld {
  const world = openRecordedWorld();
  addTarget(world, [{ address, port: 3260, serves: 'tcp' }]);
  for (const name of ['storage-1.example.org', 'storage_1']) world.host.names.set(name, ['192.0.2.10', '192.0.2.11']);
  return world;
}

function info({ address }: Pick<TheirPortal, 'address'>): unknown {
  return infoFor([address.includes(':') ? `[${address}]:3260` : `${address}:3260`]);
}

function recordPath({ spelled }: Pick<TheirPortal, 'spelled'>, folder = spelled): string {
  return `${ROOT}/nodes/${IQN}/${folder},3260,1/default`;
}

function writeRecord({ host }: RecordedWorld, their: TheirPortal, startup: string, folder = their.spelled): string {
  const lines = [
    '# BEGIN RECORD 2.1.11',
    `node.name = ${IQN}`,
    'node.tpgt = 1',
    `node.startup = ${startup}`,
    'iface.iscsi_ifacename = default',
    `node.conn[0].address = ${their.spelled}`,
    'node.conn[0].port = 3260',
    '# END RECORD',
    '',
  ];
  host.tree.write(recordPath(their, folder), lines.join('\n'));
  return lines.join('\n');
}

function addTheirSession(
  { host }: RecordedWorld,
  { spelled, address }: TheirPortal,
  connectedTo = { address, port: 3260 },
): FakeSession {
  return host.kernel.addSession({
    target: IQN,
    portal: { address: spelled, port: 3260 },
    iface: 'default',
    transport: 'tcp',
    connectedTo,
  });
}

const verbs = ({ host }: RecordedWorld): readonly string[] =>
  host.commands.filter(({ program }) => program === 'iscsiadm').map(({ args }) => String(args.at(-1)));
const nodeFiles = ({ host }: RecordedWorld): readonly string[] =>
  host.tree.paths().filter((path) => path.startsWith(`${ROOT}/nodes/`) && host.tree.kind(path) === 'file');

describe.each(SPELLINGS)('a portal $address that open-iscsi has as $spelled', (their) => {
  test.each(['automatic', 'onboot'])(
    "connect() and disconnect() use an administrator's session and keep it, node.startup = %s",
    async (startup) => {
      const world = open(their.address);
      const text = writeRecord(world, their, startup);
      const session = addTheirSession(world, their);
      const { paths } = await world.driver.connect(info(their));
      expect(paths.map((path) => [path.portal.address, path.session])).toEqual([[their.address, session.id]]);
      expect(await world.driver.disconnect(info(their))).toMatchObject({ found: true });
      expect(await world.driver.disconnect(info(their))).toMatchObject({ found: false });
      expect({
        verbs: verbs(world),
        sessions: world.host.kernel.sessions,
        files: nodeFiles(world),
        text: world.host.tree.read(recordPath(their)),
      }).toEqual({ verbs: [], sessions: [session], files: [recordPath(their)], text });
    },
  );

  test("connect() logs in by an administrator's record and restores it, and disconnect() logs out", async () => {
    const world = open(their.address);
    const text = writeRecord(world, their, 'manual');
    await world.driver.connect(info(their));
    expect({
      asked: world.host.kernel.sessions.map(({ portal }) => portal.address),
      files: nodeFiles(world),
      text: world.host.tree.read(recordPath(their)),
    }).toEqual({ asked: [their.spelled], files: [recordPath(their)], text });
    expect(await world.driver.disconnect(info(their))).toMatchObject({ found: true });
    expect({ verbs: verbs(world), sessions: world.host.kernel.sessions, files: nodeFiles(world) }).toEqual({
      verbs: ['--login', '--logout'],
      sessions: [],
      files: [recordPath(their)],
    });
  });

  test("connect() finds the volume on an administrator's session without a record", async () => {
    const world = open(their.address);
    const session = addTheirSession(world, their);
    const { paths } = await world.driver.connect(info(their));
    expect([paths[0].session, verbs(world)]).toEqual([session.id, []]);
  });
});

test('connect() finds a record by the portal in its text, not by its folder, as open-iscsi does', async () => {
  const their = { address: '192.0.2.10', spelled: '192.0.2.10' };
  const world = open(their.address);
  writeRecord(world, their, 'automatic', '192.0.2.77');
  const session = addTheirSession(world, their);
  await world.driver.connect(info(their));
  await world.driver.disconnect(info(their));
  expect(world.host.kernel.sessions).toEqual([session]);
});

test('connect() does not overwrite a record whose folder names the portal and whose text another', async () => {
  const their = { address: '192.0.2.10', spelled: '192.0.2.77' };
  const world = open(their.address);
  const text = writeRecord(world, their, 'automatic', '192.0.2.10');
  await expect(world.driver.connect(info(their))).rejects.toMatchObject({ code: 'DATABASE_FAILED' });
  expect(world.host.tree.read(recordPath(their, '192.0.2.10'))).toBe(text);
});

test('connect() keeps the requested portal of a login that the target redirects', async () => {
  const their = { address: '192.0.2.10' };
  const world = open(their.address);
  world.host.redirects.set(their.address, { address: '192.0.2.99', port: 3261 });
  await world.driver.connect(info(their));
  expect((await world.driver.connect(info(their))).paths.map(({ portal }) => portal.address)).toEqual([their.address]);
  await world.driver.disconnect(info(their));
  expect({ verbs: verbs(world), residue: world.host.residue() }).toEqual({
    verbs: ['--login', '--logout'],
    residue: [],
  });
});

describe('a session by name', () => {
  const their = { address: '192.0.2.10', spelled: 'storage_1' };

  test('connect() uses a redirected session by name whose portal a record gives', async () => {
    const world = open(their.address);
    writeRecord(world, their, 'automatic');
    const session = addTheirSession(world, their, { address: '192.0.2.99', port: 3261 });
    const { paths } = await world.driver.connect(info(their));
    await world.driver.disconnect(info(their));
    expect({ used: paths[0].session, verbs: verbs(world), sessions: world.host.kernel.sessions }).toEqual({
      used: session.id,
      verbs: [],
      sessions: [session],
    });
  });

  test('find() counts a session by name, redirected to another listed portal, as one path', async () => {
    const world = open(their.address);
    writeRecord(world, their, 'automatic');
    const session = addTheirSession(world, their, { address: '192.0.2.12', port: 3260 });
    world.host.kernel.write(`/sys/class/scsi_host/host${session.id}/scan`, '0 0 1');
    const several = infoFor(['192.0.2.10:3260', '192.0.2.12:3260']);
    expect((await world.driver.find(several))?.paths.map(({ portal }) => portal.address)).toEqual(['192.0.2.12']);
    expect(await world.driver.disconnect(several)).toMatchObject({ found: true });
    expect(world.host.kernel.deeds.filter((deed) => deed.startsWith('delete'))).toEqual(['delete sda']);
  });

  test('disconnect() finds a session by name whose connection is down', async () => {
    const world = open(their.address);
    writeRecord(world, their, 'automatic');
    const session = addTheirSession(world, their);
    await world.driver.connect(info(their));
    world.host.kernel.lose(session);
    expect(await world.driver.disconnect(info(their))).toMatchObject({ found: true });
    expect({
      disks: world.host.tree.list('/dev').filter((name) => name.startsWith('sd')),
      sessions: world.host.kernel.sessions,
    }).toEqual({ disks: [], sessions: [session] });
  });

  test("connect() does not resolve the portal name of another target's session", async () => {
    const world = open(their.address);
    world.host.names.clear();
    world.host.kernel.addSession({
      target: `${IQN}-2`,
      portal: { address: 'gone.example.org', port: 3260 },
      iface: 'default',
      transport: 'tcp',
      connectedTo: { address: '192.0.2.10', port: 3260 },
    });
    await world.driver.connect(info(their));
    await world.driver.disconnect(info(their));
    expect(world.host.kernel.sessions).toHaveLength(1);
  });

  test('disconnect() keeps a session whose name resolves to the portal but which is connected elsewhere', async () => {
    const world = open(their.address);
    await world.driver.connect(info(their));
    const session = addTheirSession(world, their, { address: '192.0.2.99', port: 3260 });
    await world.driver.disconnect(info(their));
    expect({ verbs: verbs(world), sessions: world.host.kernel.sessions }).toEqual({
      verbs: ['--login', '--logout'],
      sessions: [session],
    });
  });

  test("connect() names a session that iscsid takes for the portal's and this library cannot", async () => {
    const world = open(their.address);
    const session = addTheirSession(world, their, { address: '192.0.2.99', port: 3260 });
    await expect(world.driver.connect(info(their))).rejects.toMatchObject({
      code: 'COMMAND_FAILED',
      message: expect.stringContaining(
        `session ${session.id}, which was asked for as storage_1 and is connected to 192.0.2.99:3260`,
      ) as unknown,
    });
    expect({ sessions: world.host.kernel.sessions, files: nodeFiles(world) }).toEqual({
      sessions: [session],
      files: [],
    });
  });
});

describe('a target of a name that the RFC does not know', () => {
  test.each([
    'iqn.2003-01.org.linux-iscsi.iron_man.x8664:sn.x',
    'IQN.2010-10.org.Example:Volume',
    'disk1',
    'iqn.2010-10.org.example:größe',
    `iqn.2010-10.org.example:${'x:'.repeat(99)}`,
  ])('connect() with an odd target name: %s', async (iqn) => {
    const world = openRecordedWorld();
    const target = new FakeTarget({ iqn, portals: [{ address: '192.0.2.10', port: 3260, serves: 'tcp' }] });
    target.units.set(0, { wwid: WWID, sizeBytes: 2 ** 30 });
    world.host.targets.push(target);
    const named = { driver_volume_type: 'iscsi', data: { target_portal: '192.0.2.10:3260', target_iqn: iqn } };
    expect((await world.driver.connect(named)).paths.map(({ target: name, lun }) => [name, lun])).toEqual([[iqn, 0]]);
    expect(await world.driver.disconnect(named)).toMatchObject({ found: true });
    expect(world.host.residue()).toEqual([]);
  });
});

test('connect() and disconnect() pass over sessions and records that cannot be read, and keep them', async () => {
  const their = { address: '192.0.2.10' };
  const world = open(their.address);
  for (const [target, portal] of [
    ['a b', their.address],
    [IQN, 'no address'],
  ] as const)
    world.host.kernel.addSession({
      target,
      portal: { address: portal, port: 3260 },
      iface: 'default',
      transport: 'tcp',
    });
  for (const folder of ['no address,3260,1', '192.0.2.10,port,1', ',,', 'x'.repeat(200)])
    world.host.tree.write(
      `${ROOT}/nodes/${IQN}/${folder}/default`,
      `node.name = ${IQN}\niface.iscsi_ifacename = default\n`,
    );
  const before = { sessions: [...world.host.kernel.sessions], files: nodeFiles(world) };
  await world.driver.connect(info(their));
  await world.driver.disconnect(info(their));
  expect({ sessions: world.host.kernel.sessions, files: nodeFiles(world) }).toEqual(before);
});
