import { describe, expect, test } from '@jest/globals';
import { openHostRecovery } from '../../src/recovery/open-host-recovery.js';
import type { ReconcileOptions } from '../../src/recovery/host-recovery.js';
import { killAt } from '../fakes/dying-process.js';
import { ROOT } from '../fakes/fake-release.js';
import { openFakeWorld } from '../fakes/fake-world.js';
import { addTarget, IQN, openRecordedWorld, type RecordedWorld } from '../driver/recorded-world.js';
import { INFO, OTHER_UNIT, TCP } from '../driver/regression-world.js';

const WEB1 = { kind: 'name', name: 'web1' } as const;
const VDB = { dev: 'vdb', bus: 'virtio' };

function open(): RecordedWorld {
  const world = openRecordedWorld();
  addTarget(world, [TCP]);
  world.libvirt.addDomain({ name: 'web1', active: false });
  return world;
}

/** After the end of the world's process. */
async function reconcile(
  world: RecordedWorld,
  options: ReconcileOptions = {},
): Promise<readonly (readonly [string, string, string])[]> {
  const { parts } = openRecordedWorld({}, openFakeWorld({}, 'iscsi', world));
  const { guestDisks } = world.parts;
  const items = await openHostRecovery({ ...parts, libvirt: world.libvirt, guestDisks }).reconcile(options);
  return items.map(({ kind, outcome, reason }) => [kind, outcome, reason]);
}

const UNUSED = 'nobody uses it, and the process that connected it has ended';

describe('reconcile() of a connected volume', () => {
  test('removes it where nobody uses it and its process has ended', async () => {
    const world = open();
    await world.driver.connect(INFO);
    expect(await reconcile(world)).toEqual([['volume', 'done', UNUSED]]);
    expect(await world.residue()).toEqual([]);
  });

  test('changes nothing on a dry run, and says what it would do', async () => {
    const world = open();
    await world.driver.connect(INFO);
    const before = await world.residue();
    expect(await reconcile(world, { dryRun: true })).toEqual([['volume', 'planned', UNUSED]]);
    expect(await world.residue()).toEqual(before);
  });

  test.each([
    [
      'the caller keeps it',
      async () => {
        await Promise.resolve();
      },
      { keep: [INFO] },
      'the caller keeps it',
    ],
    [
      'a guest that is shut off has it',
      async (world: RecordedWorld) => await world.driver.attach(WEB1, INFO, VDB),
      {},
      'guest web1 has it',
    ],
    [
      'a process has it open',
      async ({ host }: RecordedWorld) => {
        host.open('/dev/sda', { pid: 42, name: 'qemu-system-x86' });
        await Promise.resolve();
      },
      {},
      'qemu-system-x86 (pid 42) has it open',
    ],
    [
      'libvirt cannot be asked',
      async ({ libvirt }: RecordedWorld) => {
        libvirt.stopDaemon();
        await Promise.resolve();
      },
      {},
      'libvirt cannot be asked whether a guest has it',
    ],
  ])('keeps it where %s', async (_what, prepare, options, reason) => {
    const world = open();
    await world.driver.connect(INFO);
    await prepare(world);
    const before = await world.residue();
    expect(await reconcile(world, options)).toEqual([['volume', 'kept', reason]]);
    expect(await world.residue()).toEqual(before);
  });

  test('keeps it while the process that connected it runs', async () => {
    const world = open();
    await world.driver.connect(INFO);
    const items = await openHostRecovery(world.parts).reconcile();
    expect(items).toMatchObject([
      { outcome: 'kept', reason: `process ${world.process.identity.pid}, which connected it, runs` },
    ]);
  });

  test('refuses what is another volume by now, and touches nothing of it', async () => {
    const world = open();
    await world.driver.connect(INFO);
    world.host.targets[0]?.units.set(1, OTHER_UNIT);
    const before = await world.residue();
    expect(await reconcile(world)).toMatchObject([['volume', 'failed', UNUSED]]);
    expect(await world.residue()).toEqual(before);
  });
});

test("reconcile() touches no session, record or disk of an administrator's", async () => {
  const world = open();
  const record = `${ROOT}/nodes/${IQN}/192.0.2.10,3260,1/default`;
  world.host.tree.write(record, `node.name = ${IQN}\nnode.conn[0].address = 192.0.2.10\n`);
  const place = { target: IQN, portal: { address: '192.0.2.10', port: 3260 }, iface: 'default', transport: 'tcp' };
  const session = world.host.kernel.addSession(place);
  world.host.kernel.write(`/sys/class/scsi_host/host${session.id}/scan`, '0 0 1');
  const before = await world.residue();
  expect(await reconcile(world)).toEqual([]);
  expect(await world.residue()).toEqual(before);
});

test('reconcile() keeps a session of ours with units of which nothing is noted', async () => {
  const world = open();
  await world.driver.connect(INFO);
  for (const path of world.host.tree.paths().filter((one) => one.startsWith('/var/lib/libvirt-volume/')))
    world.host.tree.remove(path);
  expect(await reconcile(world)).toEqual([
    ['session', 'kept', '1 units are on session 1, and nothing is noted of them'],
  ]);
});

test('reconcile() removes the discovery record of a killed process, with its secret', async () => {
  for (let n = 1; n < 60; n++) {
    const world = openRecordedWorld({ volume_use_multipath: true });
    addTarget(world, [TCP]);
    world.host.kernel.multipathd.start();
    const { at } = await killAt(world, n, 'before', async () => await world.driver.connect(SINGULAR));
    if (at?.includes('--discover') !== true) continue;
    expect(world.host.tree.paths().filter((path) => path.includes('/send_targets/'))).not.toEqual([]);
    expect(await reconcile(world)).toContainEqual(['discovery-record', 'done', 'a discovery did not come to its end']);
    expect(await world.residue()).toEqual([]);
    return;
  }
  throw new Error('connect() discovered nothing');
});

test('status() tells of a volume from its session to its guests, and changes nothing', async () => {
  const world = open();
  await world.driver.attach(WEB1, INFO, VDB);
  const before = await world.residue();
  expect(await openHostRecovery(world.parts).status()).toMatchObject({
    volumes: [
      {
        volumeId: 'volume-7',
        state: 'connected',
        paths: [
          { target: IQN, lun: 1, portal: '192.0.2.10:3260', session: { id: 1, state: 'LOGGED_IN' }, disk: '/dev/sda' },
        ],
        map: undefined,
        users: [],
        guests: ['web1'],
      },
    ],
    leftovers: [],
  });
  expect(await world.residue()).toEqual(before);
});

const SINGULAR = {
  driver_volume_type: 'iscsi',
  serial: 'volume-7',
  data: {
    volume_id: 'volume-7',
    target_portal: '192.0.2.10:3260',
    target_iqn: IQN,
    target_lun: 1,
    discovery_auth_method: 'CHAP',
    discovery_auth_username: 'u',
    discovery_auth_password: 'a-tenants-secret',
  },
};
