import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { Secret } from '../../src/base/secret.js';
import { isVolumeError, VolumeError } from '../../src/base/volume-error.js';
import { openFakeWorld } from '../fakes/fake-world.js';
import { FakeTarget } from '../fakes/fake-target.js';
import {
  DESTINATION_LUN,
  infoAt,
  migrate,
  type MigrationWorld,
  openTwoHosts,
  OPTIONS,
  OURS,
  PASSPHRASE,
  prepare,
  removalsOn,
  SOURCE_LUN,
  THEIRS,
  USAGE,
  WEB1,
} from './migration-world.js';
import { failure, PORTALS, portalsOf } from './multipath-world.js';
import { IQN } from './recorded-world.js';
import { OTHER_UNIT, TCP, UNIT } from './regression-world.js';

const VDB = { dev: 'vdb', bus: 'virtio' };
const AT_SOURCE = infoAt(SOURCE_LUN);
const AT_DESTINATION = infoAt(DESTINATION_LUN);
const ENCRYPTED = [infoAt(SOURCE_LUN, { encrypted: true }), infoAt(DESTINATION_LUN, { encrypted: true })] as const;

async function attached(world: MigrationWorld = openTwoHosts()): Promise<MigrationWorld> {
  await world.source.driver.attach(WEB1, AT_SOURCE, VDB);
  return world;
}

describe('a volume moves with its guest', () => {
  test('migration moves a volume with its guest, each call with the connection_info of its host', async () => {
    const world = await attached();
    const { source, destination } = world;
    await destination.driver.connect(infoAt(SOURCE_LUN, { volume_id: 'volume-8' })); // takes the name /dev/sda
    const prepared = await prepare(world);
    expect(prepared).toMatchObject({
      volume: {
        guest: { name: 'web1' },
        wwid: OURS,
        kind: 'disk',
        sourcePath: '/dev/sda',
        targetDev: 'vdb',
        alias: 'ua-volume-7',
      },
      arrived: {
        volume: { device: { wwid: OURS, path: '/dev/sdb' }, paths: [{ lun: DESTINATION_LUN }] },
        disk: { targetDev: 'vdb', alias: 'ua-volume-7', from: { path: '/dev/sda' }, to: { path: '/dev/sdb' } },
      },
    });
    expect(removalsOn(source)).toEqual([]);
    await migrate(world, prepared);
    expect(await source.driver.finishMigration(AT_SOURCE, prepared.volume)).toEqual({ found: true, warnings: [] });
    expect(await source.residue()).toEqual([]);
    expect(destination.libvirt.disksOf('web1')).toMatchObject([{ sourcePath: '/dev/sdb', alias: 'ua-volume-7' }]);
    expect(await destination.driver.find(AT_DESTINATION)).toMatchObject({ device: { path: '/dev/sdb' } });
    expect(await source.driver.finishMigration(AT_SOURCE, prepared.volume)).toEqual({ found: false, warnings: [] });
  });

  test('migration moves a volume there and back again, and detach() ends it', async () => {
    const { source, destination } = await attached();
    const [there, back] = [
      { source, destination },
      { source: destination, destination: source },
    ];
    const first = await prepare(there);
    await migrate(there, first);
    await source.driver.finishMigration(AT_SOURCE, first.volume);
    const second = await prepare(back, [AT_DESTINATION, AT_SOURCE]);
    await migrate(back, second);
    await destination.driver.finishMigration(AT_DESTINATION, second.volume);
    expect(await source.driver.detach(WEB1, AT_SOURCE)).toEqual({ found: true, warnings: [] });
    expect([await source.residue(), await destination.residue()]).toEqual([[], []]);
  });

  test("cancelMigration() after a failure removes the destination's volume only, and may be repeated", async () => {
    const world = await attached();
    const { volume } = await prepare(world);
    expect(await world.destination.driver.cancelMigration(AT_DESTINATION, volume)).toEqual({
      found: true,
      warnings: [],
    });
    expect(await world.destination.driver.cancelMigration(AT_DESTINATION, volume)).toEqual({
      found: false,
      warnings: [],
    });
    expect(await world.destination.residue()).toEqual([]);
    expect({
      removals: removalsOn(world.source),
      disk: world.source.libvirt.disksOf('web1')[0]?.sourcePath,
      found: (await world.source.driver.find(AT_SOURCE))?.device.path,
    }).toEqual({ removals: [], disk: '/dev/sda', found: '/dev/sda' });
  });

  test('migration moves a map that has another name on the destination', async () => {
    const portals = portalsOf();
    const world = openTwoHosts({ config: { volume_use_multipath: true }, portals });
    const [here, there, other] = [
      infoAt(SOURCE_LUN, { portals: PORTALS }),
      infoAt(DESTINATION_LUN, { portals: PORTALS }),
      infoAt(SOURCE_LUN, { portals: PORTALS, volume_id: 'volume-8' }),
    ];
    for (const { host } of [world.source, world.destination]) host.kernel.multipathd.start();
    await world.source.driver.attach(WEB1, here, VDB);
    await world.destination.driver.connect(other);
    const prepared = await prepare(world, [here, there]);
    expect(prepared).toMatchObject({
      volume: { kind: 'multipath', sourcePath: '/dev/dm-0' },
      arrived: { disk: { from: { path: '/dev/dm-0' }, to: { path: '/dev/dm-1' } } },
    });
    await migrate(world, prepared);
    expect(await world.source.driver.finishMigration(here, prepared.volume)).toEqual({ found: true, warnings: [] });
    expect(await world.source.residue()).toEqual([]);
    expect(world.destination.libvirt.disksOf('web1')).toMatchObject([{ sourcePath: '/dev/dm-1' }]);
  });

  test('migration keeps a secret on each host while the guest needs it there, with its own UUID', async () => {
    const world = openTwoHosts();
    const { source, destination } = world;
    const signal = AbortSignal.timeout(5_000);
    for (const id of ['another', 'one more'])
      // So that the volume's secret has another UUID on each host.
      await source.libvirt.defineSecret({ type: 'volume', id }, new Secret('theirs'), signal);
    await source.driver.attach(WEB1, ENCRYPTED[0], VDB, OPTIONS);
    const prepared = await prepare(world, ENCRYPTED, OPTIONS);
    const there = await destination.libvirt.findSecret(USAGE, signal);
    expect(prepared.arrived.disk).toMatchObject({
      from: { secretUuid: await source.libvirt.findSecret(USAGE, signal) },
      to: { secretUuid: there },
    });
    expect(prepared.arrived.disk.from.secretUuid).not.toBe(there);
    expect(
      await failure(source.libvirt.migrate('web1', destination.libvirt, source.libvirt.migratableXml('web1'))),
    ).toMatchObject({ code: 'LIBVIRT_REFUSED' });
    await migrate(world, prepared);
    expect(destination.libvirt.disksOf('web1')).toMatchObject([{ secretUuid: there }]);
    await source.driver.finishMigration(ENCRYPTED[0], prepared.volume);
    expect({ source: source.libvirt.secretValue(USAGE), destination: destination.libvirt.secretValue(USAGE) }).toEqual({
      source: undefined,
      destination: PASSPHRASE,
    });
    expect(
      inspect([source.log.lines, destination.log.lines, source.told, destination.told, prepared], { depth: 12 }),
    ).not.toContain('hush');
  });

  test("cancelMigration() of an encrypted volume removes the destination's secret, not the source's", async () => {
    const world = openTwoHosts();
    await world.source.driver.attach(WEB1, ENCRYPTED[0], VDB, OPTIONS);
    const { volume } = await prepare(world, ENCRYPTED, OPTIONS);
    await world.destination.driver.cancelMigration(ENCRYPTED[1], volume);
    expect({
      source: world.source.libvirt.secretValue(USAGE),
      destination: world.destination.libvirt.secretValue(USAGE),
    }).toEqual({ source: PASSPHRASE, destination: undefined });
  });

  test('finishMigration() of a shared volume keeps it on the source for the other guest alone', async () => {
    const shared = { ...(AT_SOURCE as object), multiattach: true };
    const world = openTwoHosts({ persistent: true });
    const { source } = world;
    source.libvirt.addDomain({ name: 'web2' });
    for (const name of ['web1', 'web2']) await source.driver.attach({ kind: 'name', name }, shared, VDB);
    const prepared = await prepare(world, [shared, { ...(AT_DESTINATION as object), multiattach: true }]);
    await migrate(world, prepared);
    source.libvirt.undefine('web1');
    expect(await source.driver.finishMigration(shared, prepared.volume)).toEqual({
      found: false,
      warnings: ['the volume stays on this host for the guests that have it too: web2'],
    });
    expect(removalsOn(source)).toEqual([]);
    await source.driver.detach({ kind: 'name', name: 'web2' }, shared);
    expect(await source.residue()).toEqual([]);
  });

  test.each([false, true])(
    'finishMigration() of a guest still defined on the source warns, and removes the volume: shared %s',
    async (multiattach) => {
      const info = { ...(ENCRYPTED[0] as object), multiattach };
      const world = openTwoHosts({ persistent: true });
      const { source } = world;
      await source.driver.attach(WEB1, info, VDB, OPTIONS);
      const prepared = await prepare(world, [info, { ...(ENCRYPTED[1] as object), multiattach }], OPTIONS);
      await migrate(world, prepared);
      expect(await source.driver.finishMigration(info, prepared.volume)).toEqual({
        found: true,
        warnings: ['guest "web1" is still defined on this host, and its description has the volume: undefine it'],
      });
      expect({ residue: await source.residue(), secret: source.libvirt.secretValue(USAGE) }).toEqual({
        residue: [],
        secret: PASSPHRASE,
      });
      source.libvirt.undefine('web1');
      expect(await source.driver.finishMigration(info, prepared.volume)).toEqual({ found: false, warnings: [] });
      expect(source.libvirt.secretValue(USAGE)).toBeUndefined();
    },
  );
});

describe('prepareMigration()', () => {
  test.each<[string, (world: MigrationWorld) => void | Promise<void>, unknown, string, RegExp]>([
    [
      'a guest that does not run',
      ({ source }) => {
        source.libvirt.stop('web1');
      },
      AT_SOURCE,
      'DEVICE_NOT_FOUND',
      /guest "web1" does not run$/,
    ],
    [
      'a volume that the guest does not have',
      ({ source }) => {
        source.libvirt.letGo('web1', 'vdb');
      },
      AT_SOURCE,
      'DEVICE_NOT_FOUND',
      /guest "web1" does not have it$/,
    ],
    [
      'a volume that is not on this host',
      () => undefined,
      infoAt(7),
      'DEVICE_NOT_FOUND',
      /not connected to this host$/,
    ],
    [
      'the connection_info of another host, where this one has another volume',
      async ({ source }) => {
        await source.driver.connect(AT_DESTINATION);
      },
      AT_DESTINATION,
      'DEVICE_MISMATCH',
      /vdb of guest "web1" is \/dev\/disk\/by-id\/scsi-36001405(7+), and the volume is \/dev\/sdb on this host$/,
    ],
    [
      'an unreachable libvirt',
      ({ source }) => {
        source.libvirt.stopDaemon();
      },
      AT_SOURCE,
      'LIBVIRT_UNAVAILABLE',
      /./,
    ],
    ['a connection_info that is none', () => undefined, {}, 'CONNECTION_INFO_INVALID', /./],
  ])('prepareMigration() refuses %s and touches nothing', async (_what, change, info, code, message) => {
    const world = await attached(openTwoHosts({ persistent: true }));
    await change(world);
    const before = await world.source.residue();
    const error = await failure(world.source.driver.prepareMigration(WEB1, info));
    expect({ code: error.code, message: error.message }).toEqual({
      code,
      message: expect.stringMatching(message) as unknown,
    });
    expect({ residue: await world.source.residue(), removals: removalsOn(world.source) }).toEqual({
      residue: before,
      removals: [],
    });
  });

  test('prepareMigration() refuses an unknown guest', async () => {
    const { source } = await attached();
    expect(await failure(source.driver.prepareMigration({ kind: 'name', name: 'nobody' }, AT_SOURCE))).toMatchObject({
      code: 'DOMAIN_NOT_FOUND',
    });
  });

  test('prepareMigration() refuses a volume that reports no WWID: the destination could not verify it', async () => {
    const world = openTwoHosts();
    world.source.host.targets[0]?.units.set(SOURCE_LUN, { ...UNIT, wwid: '' });
    await attached(world);
    expect(await failure(world.source.driver.prepareMigration(WEB1, AT_SOURCE))).toMatchObject({
      code: 'DEVICE_MISMATCH',
      message: expect.stringContaining('/dev/sda reports no WWID') as unknown,
    });
  });

  test('prepareMigration() resolves a link to its device, and returns the link', async () => {
    const { source } = openTwoHosts();
    const { device } = await source.driver.connect(AT_SOURCE);
    source.host.tree.symbolicLink('/dev/disk/by-id/wwn-1', device.path);
    await source.libvirt.attachDevice(
      WEB1,
      source.driver.diskXml(AT_SOURCE, VDB, '/dev/disk/by-id/wwn-1'),
      { live: true, config: false },
      AbortSignal.timeout(1_000),
    );
    expect(await source.driver.prepareMigration(WEB1, AT_SOURCE)).toMatchObject({
      sourcePath: '/dev/disk/by-id/wwn-1',
      wwid: OURS,
    });
  });
});

describe('connectForMigration()', () => {
  test.each([
    ['another volume', OTHER_UNIT, `is ${THEIRS}`],
    ['a unit without a WWID', { ...UNIT, wwid: '' }, 'reports no WWID'],
  ])('connectForMigration() refuses %s under the LUN of this host, and leaves nothing', async (_what, unit, words) => {
    const world = await attached();
    const volume = await world.source.driver.prepareMigration(WEB1, AT_SOURCE);
    world.destination.host.targets[0]?.units.set(DESTINATION_LUN, unit);
    const error = await failure(world.destination.driver.connectForMigration(AT_DESTINATION, volume));
    expect(error).toMatchObject({
      code: 'DEVICE_MISMATCH',
      message: `Cannot connect the volume for guest "web1": /dev/sda ${words}, and the guest has ${OURS} on the source`,
    });
    expect(await world.destination.residue()).toEqual([]);
  });

  test("connectForMigration() with the source's connection_info is refused and keeps existing volumes", async () => {
    const world = await attached();
    const volume = await world.source.driver.prepareMigration(WEB1, AT_SOURCE);
    await world.destination.driver.connect(AT_SOURCE);
    const before = await world.destination.residue();
    expect(await failure(world.destination.driver.connectForMigration(AT_SOURCE, volume))).toMatchObject({
      code: 'DEVICE_MISMATCH',
    });
    expect(await world.destination.residue()).toEqual(before);
  });

  test('connectForMigration() called twice gives the same result', async () => {
    const world = openTwoHosts();
    await world.source.driver.attach(WEB1, ENCRYPTED[0], VDB, OPTIONS);
    const first = await prepare(world, ENCRYPTED, OPTIONS);
    expect(await prepare(world, ENCRYPTED, OPTIONS)).toEqual(first);
  });

  test.each<[string, unknown, object, string]>([
    ['encrypted on the source and not here', AT_DESTINATION, {}, 'CONNECTION_INFO_INVALID'],
    ['encrypted and without a passphrase', ENCRYPTED[1], {}, 'CONNECTION_INFO_INVALID'],
    [
      'encrypted, with a passphrase that cannot be one',
      ENCRYPTED[1],
      { encryption: { passphrase: new Uint8Array() } },
      'USAGE',
    ],
  ])('connectForMigration() refuses a volume that is %s, touching nothing', async (_what, info, options, code) => {
    const { source, destination } = openTwoHosts();
    await source.driver.attach(WEB1, ENCRYPTED[0], VDB, OPTIONS);
    const volume = await source.driver.prepareMigration(WEB1, ENCRYPTED[0]);
    expect(await failure(destination.driver.connectForMigration(info, volume, options))).toMatchObject({
      code,
    });
    expect(destination.host.commands).toEqual([]);
  });

  test('connectForMigration() refuses a volume that is encrypted on this host and not on the source', async () => {
    const { source, destination } = await attached();
    const volume = await source.driver.prepareMigration(WEB1, AT_SOURCE);
    expect(await failure(destination.driver.connectForMigration(ENCRYPTED[1], volume, OPTIONS))).toMatchObject({
      code: 'CONNECTION_INFO_INVALID',
      details: { key: 'data.encrypted' },
    });
    expect(destination.host.commands).toEqual([]);
  });

  test('connectForMigration() whose secret libvirt refuses takes back secret and volume', async () => {
    const { source, destination } = openTwoHosts();
    await source.driver.attach(WEB1, ENCRYPTED[0], VDB, OPTIONS);
    const volume = await source.driver.prepareMigration(WEB1, ENCRYPTED[0]);
    const defineSecret = destination.libvirt.defineSecret.bind(destination.libvirt);
    destination.libvirt.defineSecret = async (...args) => {
      await defineSecret(...args);
      throw new VolumeError('LIBVIRT_UNAVAILABLE', 'the connection is lost');
    };
    expect(await failure(destination.driver.connectForMigration(ENCRYPTED[1], volume, OPTIONS))).toMatchObject({
      code: 'LIBVIRT_UNAVAILABLE',
    });
    expect({ residue: await destination.residue(), secret: destination.libvirt.secretValue(USAGE) }).toEqual({
      residue: [],
      secret: undefined,
    });
  });

  test('connectForMigration() leaves nothing, at whichever step it is aborted', async () => {
    const { source } = openTwoHosts();
    await source.driver.attach(WEB1, ENCRYPTED[0], VDB, OPTIONS);
    const volume = await source.driver.prepareMigration(WEB1, ENCRYPTED[0]);
    const destination = openFakeWorld();
    const target = new FakeTarget({ iqn: IQN, portals: [TCP] });
    target.units.set(DESTINATION_LUN, UNIT);
    destination.host.targets.push(target);
    let aborted = 0;
    for (let uses = 0; ; uses++) {
      const outcome = await destination.driver
        .connectForMigration(ENCRYPTED[1], volume, { signal: destination.abortAfter(uses), ...OPTIONS })
        .then(
          () => 'connected' as const,
          (error: unknown) => error,
        );
      if (outcome === 'connected') break;
      aborted++;
      expect({
        uses,
        isAborted: isVolumeError(outcome, 'ABORTED'),
        secret: destination.libvirt.secretValue(USAGE),
        residue: await destination.residue(),
      }).toEqual({ uses, isAborted: true, secret: undefined, residue: [] });
    }
    expect(aborted).toBeGreaterThan(20);
    expect(destination.libvirt.secretValue(USAGE)).toBe(PASSPHRASE);
  });
});

describe('finishMigration()', () => {
  test("finishMigration() with the destination's connection_info touches no other volume (R45, R46)", async () => {
    const world = openTwoHosts();
    const { source } = world;
    await source.driver.attach(WEB1, ENCRYPTED[0], VDB, OPTIONS);
    await source.driver.connect(infoAt(DESTINATION_LUN, { volume_id: 'volume-8' }));
    const prepared = await prepare(world, ENCRYPTED, OPTIONS);
    await migrate(world, prepared);
    const before = await source.residue();
    expect(await failure(source.driver.finishMigration(ENCRYPTED[1], prepared.volume))).toMatchObject({
      code: 'DEVICE_MISMATCH',
      details: { found: THEIRS, expected: OURS },
    });
    expect({
      residue: await source.residue(),
      removals: removalsOn(source),
      secret: source.libvirt.secretValue(USAGE),
    }).toEqual({ residue: before, removals: [], secret: PASSPHRASE });
    expect(await source.driver.finishMigration(ENCRYPTED[0], prepared.volume)).toEqual({ found: true, warnings: [] });
    expect((await source.driver.find(infoAt(DESTINATION_LUN)))?.device.wwid).toBe(THEIRS);
  });

  test('finishMigration() on the wrong host, where another volume has the LUN, touches nothing (R46)', async () => {
    const world = await attached();
    const prepared = await prepare(world);
    await migrate(world, prepared);
    await world.destination.driver.connect(infoAt(SOURCE_LUN, { volume_id: 'volume-8' }));
    expect(await failure(world.destination.driver.finishMigration(AT_SOURCE, prepared.volume))).toMatchObject({
      code: 'DEVICE_MISMATCH',
    });
    expect(removalsOn(world.destination)).toEqual([]);
  });

  test('finishMigration() that fails does not affect the guest, and may be repeated (R87)', async () => {
    const world = await attached();
    const { source, destination } = world;
    const prepared = await prepare(world);
    await migrate(world, prepared);
    source.host.kernel.unflushable.add('/dev/sda');
    expect(await failure(source.driver.finishMigration(AT_SOURCE, prepared.volume))).toMatchObject({
      code: 'FLUSH_FAILED',
    });
    expect({
      running: destination.libvirt.isRunning('web1'),
      disk: destination.libvirt.disksOf('web1')[0]?.sourcePath,
      removals: removalsOn(destination),
    }).toEqual({ running: true, disk: '/dev/sda', removals: [] });
    source.host.kernel.unflushable.clear();
    expect(await source.driver.finishMigration(AT_SOURCE, prepared.volume)).toEqual({ found: true, warnings: [] });
    expect(await source.residue()).toEqual([]);
  });

  test.each<[string, (world: MigrationWorld) => void, string]>([
    ['while the guest still runs here with the volume', () => undefined, 'DETACH_UNCONFIRMED'],
    [
      'while libvirt cannot say whether it does',
      ({ source }) => {
        source.libvirt.stopDaemon();
      },
      'LIBVIRT_UNAVAILABLE',
    ],
  ])('finishMigration() %s touches nothing', async (_when, change, code) => {
    const world = await attached();
    const { volume } = await prepare(world);
    change(world);
    const before = await world.source.residue();
    expect(await failure(world.source.driver.finishMigration(AT_SOURCE, volume))).toMatchObject({ code });
    expect({ residue: await world.source.residue(), removals: removalsOn(world.source) }).toEqual({
      residue: before,
      removals: [],
    });
  });

  test('finishMigration() of a guest that runs here without the volume removes the volume', async () => {
    const world = await attached();
    const { volume } = await prepare(world);
    world.source.libvirt.letGo('web1', 'vdb');
    expect(await world.source.driver.finishMigration(AT_SOURCE, volume)).toEqual({ found: true, warnings: [] });
  });

  test('finishMigration() knows the guest by its UUID, not by its name', async () => {
    const world = await attached();
    const prepared = await prepare(world);
    await migrate(world, prepared);
    world.source.libvirt.addDomain({ name: 'web1' });
    expect(await world.source.driver.finishMigration(AT_SOURCE, prepared.volume)).toEqual({
      found: true,
      warnings: [],
    });
  });
});

describe('cancelMigration()', () => {
  test('cancelMigration() of a guest that has arrived after all touches nothing', async () => {
    const world = await attached();
    const prepared = await prepare(world);
    await migrate(world, prepared);
    expect(await failure(world.destination.driver.cancelMigration(AT_DESTINATION, prepared.volume))).toMatchObject({
      code: 'DETACH_UNCONFIRMED',
      message: 'Cannot disconnect the volume from this host: guest "web1" runs here and has it as vdb',
    });
    expect(removalsOn(world.destination)).toEqual([]);
  });

  test("cancelMigration() with the source's connection_info touches no other volume (R45)", async () => {
    const world = await attached();
    const { volume } = await prepare(world);
    await world.destination.driver.connect(infoAt(SOURCE_LUN, { volume_id: 'volume-8' }));
    expect(await failure(world.destination.driver.cancelMigration(AT_SOURCE, volume))).toMatchObject({
      code: 'DEVICE_MISMATCH',
      details: { found: THEIRS, expected: OURS },
    });
    expect(removalsOn(world.destination)).toEqual([]);
  });
});
