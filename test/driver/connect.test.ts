import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { errorChain } from '../../src/base/error-chain.js';
import { VolumeError } from '../../src/base/volume-error.js';
import type { Command } from '../../src/host/command.js';
import { RETRY_AFTER_MS } from '../../src/preflight/transport-failure-cache.js';
import { addTarget, dataChanged, infoFor, IQN, openRecordedWorld, type RecordedWorld, WWID } from './recorded-world.js';
import { ROOT } from '../fakes/fake-release.js';

const TCP = { address: '192.0.2.10', port: 3260, serves: 'tcp' } as const;
const NODE = `${ROOT}/nodes/${IQN}`;

/** iscsiadm ends every login over this iface with that exit status. */
function failLogins({ host }: RecordedWorld, exitCode: number, iface = 'iser'): void {
  const run = host.run.bind(host);
  host.run = async (command: Command, signal) => {
    if (!command.args.includes('--login') || !command.args.includes(iface)) return await run(command, signal);
    host.commands.push(command);
    return { exitCode, stdout: '', stderr: 'iscsiadm: no\n' };
  };
}

async function failure(promise: Promise<unknown>): Promise<VolumeError> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome instanceof VolumeError) return outcome;
  throw new Error(`Expected a VolumeError, not ${inspect(outcome)}`);
}

describe('connect() falls back to TCP', () => {
  test.each([12, 14, 23])('connect() falls back to TCP, and says so, when iscsiadm ends with %d', async (exitCode) => {
    const world = openRecordedWorld({ iscsi_iface: 'iser' });
    addTarget(world, [TCP]);
    failLogins(world, exitCode);
    const { paths, transport, warnings } = await world.driver.connect(infoFor(['192.0.2.10:3260']));
    expect({ ...transport, iface: paths[0].iface, transport: paths[0].transport }).toMatchObject({
      requested: 'iser',
      used: 'default',
      iface: 'default',
      transport: 'tcp',
      fallback: { code: 'TRANSPORT_UNAVAILABLE' },
    });
    expect(warnings).toEqual([expect.stringMatching(/default is used and not iser: Cannot log in/)]);
    expect(world.log.warnings).toEqual([
      {
        level: 'warn',
        message: 'Falling back to another transport',
        fields: expect.objectContaining({
          requested: 'iser',
          used: 'default',
          code: 'TRANSPORT_UNAVAILABLE',
        }) as unknown,
      },
    ]);
  });

  test.each([
    [24, 'LOGIN_AUTH_FAILED'],
    [19, 'LOGIN_REFUSED'],
    [20, 'INITIATOR_UNAVAILABLE'],
    [6, 'DATABASE_FAILED'],
    [99, 'COMMAND_FAILED'],
  ] as const)('connect() never falls back to TCP when iscsiadm ends with %d', async (exitCode, code) => {
    const world = openRecordedWorld({ iscsi_iface: 'iser' });
    addTarget(world, [TCP]);
    failLogins(world, exitCode);
    expect(await failure(world.driver.connect(infoFor(['192.0.2.10:3260'])))).toMatchObject({ code });
    expect({ warnings: world.log.warnings, residue: await world.residue() }).toEqual({ warnings: [], residue: [] });
  });

  test('connect() falls back to TCP from a silent portal, and does not wait for it again for a while', async () => {
    const world = openRecordedWorld({ iscsi_iface: 'iser' });
    addTarget(world, [TCP]);
    const info = infoFor(['192.0.2.10:3260']);
    for (const logins of [2, 1]) {
      const before = world.host.commands.length;
      const { transport } = await world.driver.connect(info);
      expect({ fallback: transport.fallback?.code, logins: world.host.commands.length - before }).toEqual({
        fallback: 'PORTAL_UNREACHABLE',
        logins,
      });
      await world.driver.disconnect(info);
    }
    await world.clock.sleep(RETRY_AFTER_MS, new AbortController().signal);
    const before = world.host.commands.length;
    await world.driver.connect(info);
    expect(world.host.commands.length - before).toBe(2);
  });

  test('connect() falls back to TCP without a login on unfit hardware, and retries once it is fit', async () => {
    const world = openRecordedWorld({ iscsi_iface: 'iser' });
    addTarget(world, [TCP, { ...TCP, serves: 'iser' }]);
    world.host.tree.write('/sys/class/infiniband/mlx5_0/ports/1/state', '1: DOWN\n');
    const info = infoFor(['192.0.2.10:3260']);
    const { transport } = await world.driver.connect(info);
    expect(transport).toMatchObject({ requested: 'iser', used: 'default', fallback: { code: 'RDMA_PORT_DOWN' } });
    expect(world.host.commands).toHaveLength(1);
  });

  test('connect() does not fall back to TCP with iscsi_iface_fallback = "none"', async () => {
    const world = openRecordedWorld({ iscsi_iface: 'iser', iscsi_iface_fallback: 'none' });
    addTarget(world, [TCP]);
    failLogins(world, 12);
    expect(await failure(world.driver.connect(infoFor(['192.0.2.10:3260'])))).toMatchObject({
      code: 'TRANSPORT_UNAVAILABLE',
    });
    expect(world.host.commands).toHaveLength(1);
    expect(await world.residue()).toEqual([]);
  });

  test('disconnect() finds the volume that connect() opened over TCP as a fallback', async () => {
    const world = openRecordedWorld({ iscsi_iface: 'iser' });
    addTarget(world, [TCP]);
    failLogins(world, 12);
    const info = infoFor(['192.0.2.10:3260']);
    await world.driver.connect(info);
    expect(await world.driver.disconnect(info)).toEqual({ found: true, warnings: [] });
    expect(await world.residue()).toEqual([]);
  });
});

describe('connect() of several portals', () => {
  const portals = ['192.0.2.1:3260', '192.0.2.2:3260', '192.0.2.10:3260'];

  test('connect() tries several portals in order until one works, and undoes the failures', async () => {
    const world = openRecordedWorld();
    addTarget(world, [TCP]);
    const { paths } = await world.driver.connect(infoFor(portals));
    expect(paths[0].portal).toEqual({ address: '192.0.2.10', port: 3260 });
    expect(world.host.commands.map(({ args }) => args[args.indexOf('-p') + 1])).toEqual(portals);
    expect(world.host.tree.list(NODE)).toEqual(['192.0.2.10,3260,1']);
  });

  test('connect() over several unreachable portals reports each failure', async () => {
    const world = openRecordedWorld();
    addTarget(world, []);
    const error = await failure(world.driver.connect(infoFor(portals)));
    expect(error).toMatchObject({
      code: 'PORTAL_UNREACHABLE',
      message: 'Cannot connect the volume through any of its 3 portals',
    });
    for (const portal of portals) expect(errorChain(error)).toContain(portal);
    expect(await world.residue()).toEqual([]);
  });

  test('connect() over several portals stops at the first that refuses the password', async () => {
    const world = openRecordedWorld();
    addTarget(world, [{ ...TCP, address: '192.0.2.1' }, TCP], { username: 'u', password: 'right' });
    const info = infoFor(portals, { auth_method: 'CHAP', auth_username: 'u', auth_password: 'wrong-wrong' });
    const error = await failure(world.driver.connect(info));
    expect(error.code).toBe('LOGIN_AUTH_FAILED');
    expect(world.host.commands).toHaveLength(1);
    expect(await world.residue()).toEqual([]);
  });

  test('connect() over several portals skips one whose session does not recover', async () => {
    const world = openRecordedWorld();
    addTarget(world, [{ ...TCP, address: '192.0.2.1' }, TCP]);
    const session = world.host.kernel.addSession({
      target: IQN,
      portal: { address: '192.0.2.1', port: 3260 },
      iface: 'default',
      transport: 'tcp',
    });
    world.host.kernel.setState(session, 'FAILED');
    const { paths } = await world.driver.connect(infoFor(['192.0.2.1:3260', '192.0.2.10:3260']));
    expect(paths[0].portal.address).toBe('192.0.2.10');
    expect(world.host.kernel.sessions).toHaveLength(2);
  });
});

test('connect() and disconnect() handle a path that is listed twice once', async () => {
  const world = openRecordedWorld();
  addTarget(world, [{ ...TCP, address: '2001:db8::1' }]);
  const info = infoFor(['[2001:db8::1]:3260', '[2001:DB8:0::1]:3260']);
  await world.driver.connect(info);
  expect(await world.driver.disconnect(info)).toMatchObject({ found: true });
  expect(await world.residue()).toEqual([]);
});

test('connect() shows the secret nowhere but in the record file', async () => {
  const world = openRecordedWorld();
  addTarget(world, [TCP], { username: 'u', password: 'hush-hush-hush' });
  const info = infoFor(['192.0.2.10:3260'], {
    auth_method: 'CHAP',
    auth_username: 'u',
    auth_password: 'hush-hush-hush',
  });
  const volume = await world.driver.connect(info);
  expect(world.host.tree.read(`${NODE}/192.0.2.10,3260,1/default`)).toContain(
    'node.session.auth.password = hush-hush-hush\n',
  );
  expect(inspect([volume, world.host.commands, world.log.lines], { depth: null })).not.toContain('hush');
  await world.driver.disconnect(info);
  expect(await world.residue()).toEqual([]);
});

test('connect() that is refused shows the secret nowhere', async () => {
  const world = openRecordedWorld();
  addTarget(world, [TCP], { username: 'u', password: 'right' });
  const error = await failure(
    world.driver.connect(
      infoFor(['192.0.2.10:3260'], { auth_method: 'CHAP', auth_username: 'u', auth_password: 'hush-hush-hush' }),
    ),
  );
  expect(
    inspect([error, world.log.lines, world.host.commands], { depth: null }) + errorChain(error) + JSON.stringify(error),
  ).not.toContain('hush');
});

test('connect() warns of a disk that reports no WWID', async () => {
  const world = openRecordedWorld();
  addTarget(world, [TCP]).units.set(1, { wwid: '', sizeBytes: 2 ** 30 });
  const { device, warnings } = await world.driver.connect(infoFor(['192.0.2.10:3260']));
  expect({ wwid: device.wwid, warnings }).toEqual({
    wwid: undefined,
    warnings: [expect.stringContaining('reports no WWID')],
  });
});

test('connect() that fails on a unit that was there before does not remove it', async () => {
  const world = openRecordedWorld();
  const target = addTarget(world, [TCP]);
  const info = infoFor(['192.0.2.10:3260']);
  await world.driver.connect(info);
  target.units.set(1, { wwid: WWID, sizeBytes: 0 });
  expect(await failure(world.driver.connect(info))).toMatchObject({ code: 'DEVICE_NOT_FOUND' });
  expect(world.deeds.filter((deed) => deed.startsWith('delete'))).toEqual([]);
});

test('disconnect() keeps a disk that has lost its size and that a process has open', async () => {
  const world = openRecordedWorld();
  const target = addTarget(world, [TCP]);
  const info = infoFor(['192.0.2.10:3260']);
  const { device } = await world.driver.connect(info);
  world.host.open(device.path, { pid: 7, name: 'qemu-system-x86' });
  target.units.set(1, { wwid: WWID, sizeBytes: 0 });
  world.host.kernel.write('/sys/devices/platform/host1/session1/target1:0:0/1:0:0:1/rescan', '1');
  expect(await failure(world.driver.disconnect(info))).toMatchObject({ code: 'DEVICE_IN_USE' });
  expect(world.deeds.filter((deed) => deed.startsWith('delete'))).toEqual([]);
});

test('connect() that finds no disk removes its record, also one with old settings that a crash left', async () => {
  const world = openRecordedWorld();
  const target = addTarget(world, [TCP]);
  const info = infoFor(['192.0.2.10:3260']);
  await world.driver.connect(info);
  for (const session of [...world.host.kernel.sessions]) world.host.kernel.removeSession(session); // as after a reboot
  target.units.delete(1);
  expect(
    await failure(
      world.driver.connect(dataChanged(info, { auth_method: 'CHAP', auth_username: 'u', auth_password: 'p' })),
    ),
  ).toMatchObject({ code: 'DEVICE_NOT_FOUND' });
  expect(await world.residue()).toEqual([]);
});

test('connect() over an unknown iface names the ifaces of the host', async () => {
  const world = openRecordedWorld({ iscsi_iface: 'cxgb4i.00:07:43:12:34:56' });
  expect(await failure(world.driver.connect(infoFor(['192.0.2.10:3260'])))).toMatchObject({
    code: 'IFACE_NOT_FOUND',
    message: expect.stringContaining('this host has default, iser') as unknown,
  });
});

describe('connect() over an iface without a record', () => {
  const MADE = 'libvirt-volume.tcp.eth0';
  const config = { iscsi_iface: { ipaddress: '192.0.2.1' } };
  const NET = '/sys/class/net/eth0/address';

  test('connect() makes an iface record for the source address, and keeps it for the next volume', async () => {
    const world = openRecordedWorld(config);
    world.host.tree.write(NET, '52:54:00:12:34:56\n');
    addTarget(world, [TCP]);
    const info = infoFor(['192.0.2.10:3260']);
    const { paths } = await world.driver.connect(info);
    expect(paths[0]).toMatchObject({ iface: MADE, transport: 'tcp' });
    await world.driver.disconnect(info);
    expect(world.host.tree.read(`${ROOT}/ifaces/${MADE}`)).toContain('iface.net_ifacename = eth0');
    expect((await world.driver.connect(info)).paths[0].iface).toBe(MADE);
  });

  test('connect() removes the iface record that it made when the volume cannot be opened', async () => {
    const world = openRecordedWorld(config);
    world.host.tree.write(NET, '52:54:00:12:34:56\n');
    expect(await failure(world.driver.connect(infoFor(['192.0.2.10:3260'])))).toMatchObject({
      code: 'PORTAL_UNREACHABLE',
    });
    expect(await world.residue()).toEqual([]);
  });

  test('connect() over an iface of an absent card falls back and makes no iface record', async () => {
    const world = openRecordedWorld({ iscsi_iface: { transport: 'cxgb4i', hwaddress: '00:07:43:12:34:56' } });
    addTarget(world, [TCP]);
    const { transport } = await world.driver.connect(infoFor(['192.0.2.10:3260']));
    expect(transport).toMatchObject({
      requested: 'libvirt-volume.cxgb4i.000743123456',
      used: 'default',
      fallback: { code: 'NO_HARDWARE' },
    });
    expect(world.host.tree.list(`${ROOT}/ifaces`)).toEqual([]);
  });

  test('connect() over an iface with an address of no device rejects with IFACE_NOT_FOUND', async () => {
    const world = openRecordedWorld({ iscsi_iface: { ipaddress: '198.51.100.9' } });
    expect(await failure(world.driver.connect(infoFor(['192.0.2.10:3260'])))).toMatchObject({
      code: 'IFACE_NOT_FOUND',
    });
    expect(world.host.commands).toEqual([]);
  });
});

test('connect() refuses an existing session whose transport is not that of its iface', async () => {
  const world = openRecordedWorld();
  addTarget(world, [TCP]);
  world.host.kernel.addSession({
    target: IQN,
    portal: { address: '192.0.2.10', port: 3260 },
    iface: 'default',
    transport: 'iser',
  });
  expect(await failure(world.driver.connect(infoFor(['192.0.2.10:3260'])))).toMatchObject({
    code: 'TRANSPORT_MISMATCH',
  });
  expect(world.host.kernel.sessions).toHaveLength(1);
});

describe('a lock that is taken away', () => {
  test('connect() that loses its lock before the login makes none, and leaves nothing', async () => {
    const world = openRecordedWorld();
    addTarget(world, [TCP]);
    const { host, locks } = world;
    const create = host.create.bind(host);
    host.create = async (...args) => {
      locks.lose(IQN);
      await create(...args);
    };
    expect(await failure(world.driver.connect(infoFor(['192.0.2.10:3260'])))).toMatchObject({
      code: 'LOCK_LOST',
      details: { key: IQN },
    });
    expect(host.commands.filter(({ args }) => args.includes('--login'))).toEqual([]);
    expect(await world.residue()).toEqual([]);
  });

  test('disconnect() with force that loses its lock stops there', async () => {
    const world = openRecordedWorld();
    addTarget(world, [TCP]);
    const info = infoFor(['192.0.2.10:3260']);
    await world.driver.connect(info);
    const { host, locks } = world;
    host.writeAttribute = async () => {
      locks.lose(IQN);
      throw new VolumeError('COMMAND_FAILED', 'Cannot write');
    };
    const before = host.commands.length;
    await failure(world.driver.disconnect(info, { force: true }));
    expect(host.commands.slice(before)).toEqual([]);
    Reflect.deleteProperty(host, 'writeAttribute');
    await world.driver.disconnect(info);
    expect(await world.residue()).toEqual([]);
  });
});
