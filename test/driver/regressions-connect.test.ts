import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { readConnectionInfo } from '../../src/connection/read-connection-info.js';
import { FakeTarget } from '../fakes/fake-target.js';
import { failure, MAP, openMultipathWorld, PORTALS, portalsOf } from './multipath-world.js';
import { addTarget, dataChanged, infoFor, IQN, openRecordedWorld } from './recorded-world.js';
import { comesAndGoes, distort, INFO, logins, NODE, TCP, UNIT } from './regression-world.js';
import { ROOT } from '../fakes/fake-release.js';

/** What went wrong in other drivers of this kind when a volume comes, by the numbers of docs/regressions.md. */

test.each([
  ['1', 1],
  [255, 255],
  ['256', 256],
  [370, 370],
  ['499', 499],
  [16_383, 16_383],
] as const)("connect() and disconnect() of LUN %j use the kernel's LUN %d (W-2, R42, R59)", async (given, lun) => {
  const world = openRecordedWorld();
  addTarget(world, [TCP]).units.set(lun, UNIT);
  await comesAndGoes(world, infoFor(['192.0.2.10:3260'], { target_luns: [given] }), 'default', 'tcp');
});

test.each([
  ['SAM2', 256, 16_640],
  ['SAM3-flat', 1, 16_385],
  ['transparent', 256, 256],
] as const)(
  "connect() and disconnect() with addressing_mode %s map LUN %d to the kernel's %d (R43, W-8)",
  async (mode, given, lun) => {
    const world = openMultipathWorld();
    world.target.units.clear();
    world.target.units.set(lun, UNIT);
    const info = infoFor(PORTALS, { target_luns: PORTALS.map(() => given), addressing_mode: mode });
    expect((await world.driver.connect(info)).paths.map((path) => path.lun)).toEqual(PORTALS.map(() => lun));
    expect((await world.driver.find(info))?.paths).toHaveLength(PORTALS.length);
    expect(await world.driver.disconnect(info)).toMatchObject({ found: true });
    expect(await world.residue()).toEqual([]);
  },
);

describe('one login for each portal (W-4)', () => {
  test.each(['192.0.2.10', '192.0.2.10:3260', '192.0.2.10:3260,1', '192.0.2.10:3260,4294967295'])(
    'connect() to the portal %s logs in once, also with its tag (R35)',
    async (spelling) => {
      const world = openRecordedWorld();
      addTarget(world, [TCP]);
      await comesAndGoes(world, infoFor([spelling]), 'default', 'tcp');
    },
  );

  test('connect() takes a login that ends with 255 for failed, and ends its session', async () => {
    const world = openRecordedWorld();
    addTarget(world, [TCP]);
    distort(world, (result, { args }) => (args.includes('--login') ? { ...result, exitCode: 255 } : result));
    expect(await failure(world.driver.connect(INFO))).toMatchObject({ code: 'COMMAND_FAILED' });
    expect({ logins: logins(world), residue: await world.residue() }).toEqual({ logins: ['default'], residue: [] });
  });
});

test('connect() ignores noise in the output of iscsiadm, multipath and multipathd (R10, R13, R62, W-14)', async () => {
  const world = openMultipathWorld();
  distort(world, ({ exitCode, stdout, stderr }) => ({
    exitCode,
    stdout: `debug: [] :: x=y\n\n${stdout}`,
    stderr: `iscsiadm: config file line 7 is odd\n${stderr}`,
  }));
  const info = infoFor(PORTALS);
  const { device, paths, warnings } = await world.driver.connect(info);
  expect({ device, paths: paths.length, warnings }).toMatchObject({ device: MAP, paths: 4, warnings: [] });
  expect(await world.driver.disconnect(info)).toEqual({ found: true, warnings: [] });
  expect(await world.residue()).toEqual([]);
});

test('connect() passes over files in the database that are no records (R15)', async () => {
  const world = openRecordedWorld();
  addTarget(world, [TCP]);
  for (const name of [',3260,1/default', '[]:port3,-1/default', '192.0.2.10,3260,1/nonsense', 'a file'])
    world.host.tree.write(`${ROOT}/nodes/${IQN}/${name}`, 'node.name = x\n');
  await comesAndGoes(world, INFO, 'default', 'tcp');
});

test('connect() ends with the paths that are up when iscsid dies between four logins (R23, W-13)', async () => {
  const world = openMultipathWorld();
  // An administrator's, so each portal has a login of its own.
  world.host.tree.write(`${ROOT}/nodes/${IQN}/192.0.2.99,3260,1/default`, `node.name = ${IQN}\n`);
  const before = await world.residue();
  const { kernel } = world.host;
  const addSession = kernel.addSession.bind(kernel);
  kernel.addSession = (...given) => {
    const session = addSession(...given);
    if (kernel.sessions.length === 2) world.host.iscsidRuns = false;
    return session;
  };
  const { paths, warnings } = await world.driver.connect(infoFor(PORTALS));
  expect({ paths: paths.length, warnings }).toEqual({
    paths: 2,
    warnings: [expect.stringMatching(/^2 of 4 paths are open; .*could not connect to iscsid/)],
  });
  await world.driver.disconnect(infoFor(PORTALS));
  expect(await world.residue()).toEqual(before);
});

test('connect() scans for its LUN alone, and disconnect() for none (R47, R48, R49, R50)', async () => {
  const world = openRecordedWorld();
  addTarget(world, [TCP]);
  const writes: string[] = [];
  const write = world.host.writeAttribute.bind(world.host);
  world.host.writeAttribute = async (path, text, signal) => {
    writes.push(`${path.slice(path.lastIndexOf('/') + 1)} ${text}`);
    await write(path, text, signal);
  };
  await world.driver.connect(INFO);
  await world.driver.disconnect(INFO);
  expect(writes).toEqual(['scan 0 0 1', 'delete 1']);
});

test('connect() gives a map once the kernel has resumed it, and not before (R67)', async () => {
  const world = openMultipathWorld();
  const resumedAt = world.clock.now() + 700;
  const read = world.host.readText.bind(world.host);
  world.host.readText = async (path) =>
    path.endsWith('/dm/suspended') && world.clock.now() < resumedAt ? '1' : await read(path);
  expect((await world.driver.connect(infoFor(PORTALS))).device).toMatchObject(MAP);
  expect(world.clock.now()).toBeGreaterThanOrEqual(resumedAt);
});

test('connect() writes no record that starts at boot, whatever iscsid.conf says (W-26)', async () => {
  const world = openRecordedWorld();
  addTarget(world, [TCP]);
  world.host.tree.write('/etc/iscsi/iscsid.conf', 'node.startup = automatic\nnode.leading_login = Yes\n');
  await world.driver.connect(INFO);
  const text = world.host.tree.read(`${NODE}/default`);
  expect(text).toMatch(/^node\.startup = manual$/m);
  expect(text).not.toMatch(/automatic|leading_login/);
});

test.each(['eui.02004567A425678D', 'naa.52004567BA64678D'])('connect() allows the target %s (W-31)', async (target) => {
  const world = openRecordedWorld();
  const one = new FakeTarget({ iqn: target, portals: [TCP] });
  one.units.set(1, UNIT);
  world.host.targets.push(one);
  const info = dataChanged(INFO, { target_iqns: [target] });
  expect(readConnectionInfo(info).paths[0].target).toBe(target);
  await comesAndGoes(world, info, 'default', 'tcp');
});

test('diskXml() runs no command and touches no file (R100)', async () => {
  const world = openRecordedWorld();
  addTarget(world, [TCP]);
  const before = world.host.tree.paths();
  expect(world.driver.diskXml(INFO, { dev: 'vdb', bus: 'virtio' }, '/dev/sdb')).toContain('dev="/dev/sdb"');
  expect({ commands: world.host.commands, deeds: world.deeds, paths: world.host.tree.paths() }).toEqual({
    commands: [],
    deeds: [],
    paths: before,
  });
});

test.each([
  ['comes and goes', 'of-the-session-1'],
  ['is refused', 'another-one'],
])(
  'log of a volume that %s, with CHAP for session and discovery, holds no secret (R3, R4, R5, R6)',
  async (_what, password) => {
    const world = openMultipathWorld();
    world.host.targets.splice(0);
    addTarget(world, portalsOf(), { username: 'u', password: 'of-the-session-1' });
    world.libvirt.addDomain({ name: 'web1' });
    const domain = { kind: 'name', name: 'web1' } as const;
    const chap = {
      auth_method: 'CHAP',
      auth_username: 'u',
      auth_password: password,
      discovery_auth_method: 'CHAP',
      discovery_auth_username: 'f',
      discovery_auth_password: 'of-the-discovery-1',
    };
    const info = infoFor(PORTALS, chap);
    const attached: unknown = await world.driver
      .attach(domain, info, { dev: 'vdb', bus: 'virtio' })
      .catch((error: unknown) => error);
    const detached: unknown = await world.driver.detach(domain, info).catch((error: unknown) => error);
    expect(world.log.lines.length + world.told.length).toBeGreaterThan(4);
    expect(
      inspect([attached, detached, world.log.lines, world.told, world.host.commands], { depth: null }),
    ).not.toMatch(/of-the-|another-one/);
  },
);

test('connect() of four portals over iSER has a session over iSER to each, and one map (R17)', async () => {
  const world = openMultipathWorld({ iscsi_iface: 'iser', iscsi_iface_fallback: 'none' });
  world.host.targets.splice(0);
  addTarget(world, portalsOf('iser'));
  const { device, paths } = await world.driver.connect(infoFor(PORTALS));
  expect({ device, transports: paths.map(({ transport }) => transport) }).toMatchObject({
    device: MAP,
    transports: PORTALS.map(() => 'iser'),
  });
  await world.driver.disconnect(infoFor(PORTALS));
  expect(await world.residue()).toEqual([]);
});

test('connect() leaves nothing of a first portal without the LUN, and uses the second (R20, R33)', async () => {
  const world = openRecordedWorld();
  const empty = new FakeTarget({ iqn: `${IQN}-a`, portals: [{ ...TCP, address: '192.0.2.9' }] });
  world.host.targets.push(empty);
  addTarget(world, [TCP]);
  const info = infoFor(['192.0.2.9:3260', '192.0.2.10:3260'], { target_iqns: [empty.iqn, IQN] });
  expect((await world.driver.connect(info)).paths[0].portal.address).toBe('192.0.2.10');
  expect(logins(world)).toHaveLength(2);
  expect({
    sessions: world.host.kernel.sessions.map(({ target }) => target),
    records: world.host.tree.list(`${ROOT}/nodes`),
  }).toEqual({ sessions: [IQN], records: [IQN] });
});

describe('connect() while the record of another target vanishes (R22)', () => {
  test.each([
    ['before it has found ours', ['before', 'before'], 3],
    ['after', ['after'], 1],
  ] as const)(
    "connect() repeats a login that failed as another target's record vanished %s",
    async (_what, vanishing, expected) => {
      const world = openRecordedWorld();
      addTarget(world, [TCP]);
      world.host.vanishingRecords.push(...vanishing);
      await world.driver.connect(INFO);
      expect(logins(world)).toHaveLength(expected);
      await world.driver.disconnect(INFO);
      expect(await world.residue()).toEqual([]);
    },
  );

  test('connect() opens four paths while the record of another target vanishes', async () => {
    const world = openMultipathWorld();
    world.host.vanishingRecords.push('before');
    expect((await world.driver.connect(infoFor(PORTALS))).paths.length).toBeGreaterThan(0);
    await world.driver.settled();
    expect((await world.driver.find(infoFor(PORTALS)))?.paths).toHaveLength(4);
    await world.driver.disconnect(infoFor(PORTALS));
    expect(await world.residue()).toEqual([]);
  });

  test('connect() with a wrong secret is refused after one login while another record vanishes', async () => {
    const world = openRecordedWorld();
    addTarget(world, [TCP], { username: 'u', password: 'right' });
    world.host.vanishingRecords.push('after');
    expect(
      await failure(
        world.driver.connect(
          infoFor(['192.0.2.10:3260'], { auth_method: 'CHAP', auth_username: 'u', auth_password: 'wrong' }),
        ),
      ),
    ).toMatchObject({ code: 'LOGIN_AUTH_FAILED' });
    expect({ logins: logins(world), residue: await world.residue() }).toEqual({ logins: ['default'], residue: [] });
  });

  test('connect() is DATABASE_FAILED when reading the records fails each time', async () => {
    const world = openRecordedWorld();
    addTarget(world, [TCP]);
    world.host.vanishingRecords.push(...Array.from({ length: 20 }, () => 'before' as const));
    expect(await failure(world.driver.connect(INFO))).toMatchObject({ code: 'DATABASE_FAILED' });
    expect(await world.residue()).toEqual([]);
  });
});
