import assert from 'node:assert/strict';
import { isVolumeError, type VolumeErrorCode } from '../base/volume-error.js';
import type { ConnectedVolume } from '../volume/connected-volume.js';
import type { PublishedVolume, VolumeWorld } from './volume-world.js';

/** Any test framework with these two words: jest, vitest, node:test. */
export interface TestFramework {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly it: (name: string, body: () => Promise<void>) => unknown;
}

/**
 * The promises of {@link VolumeDriver}, as tests. Each opens a world of its own and looks for residue at its end.
 * @param name what the world is, for the test's name
 */
export function volumeDriverContract(
  name: string,
  { describe, it }: TestFramework,
  open: () => Promise<VolumeWorld>,
): void {
  const promise = (title: string, body: (world: VolumeWorld) => Promise<void>): void => {
    it(title, async () => {
      await using world = await open();
      await body(world);
      assert.deepEqual(await world.residue(), [], 'something was left behind');
    });
  };

  describe(`${name}: the contract of VolumeDriver`, () => {
    promise('connect() gives a device of the published size, over the iface that was asked for', async (world) => {
      const { connectionInfo, sizeBytes } = await publishOne(world);
      const {
        device,
        paths: [path],
        transport,
      } = await world.driver.connect(connectionInfo);
      assert.equal(device.sizeBytes, sizeBytes);
      assert.match(device.path, /^\/dev\/[a-z]/);
      assert.match(device.wwid ?? 'none', /^[123]./);
      assert.deepEqual(
        { iface: path.iface, transport: path.transport, ...transport },
        {
          iface: world.iface,
          transport: world.transport,
          requested: world.iface,
          used: world.iface,
          fallback: undefined,
        },
      );
      await world.driver.disconnect(connectionInfo);
    });

    promise('connect() twice gives the same device and starts nothing anew', async (world) => {
      const { connectionInfo } = await publishOne(world);
      const first = await world.driver.connect(connectionInfo);
      const second = await world.driver.connect(connectionInfo);
      assert.deepEqual(identity(second), identity(first));
      await world.driver.disconnect(connectionInfo);
    });

    promise('connect() and disconnect() start few processes', async (world) => {
      const { connectionInfo } = await publishOne(world);
      const limits = world.processLimits ?? { connect: 2, disconnect: 3 };
      await world.driver.connect(connectionInfo);
      const connecting = world.processesStarted();
      await world.driver.disconnect(connectionInfo);
      const disconnecting = world.processesStarted() - connecting;
      assert.ok(connecting <= limits.connect, `connect started ${connecting}`);
      assert.ok(disconnecting <= limits.disconnect, `disconnect started ${disconnecting}`);
    });

    promise('connect() does not change its argument', async (world) => {
      const { connectionInfo } = await publishOne(world);
      const before = JSON.stringify(connectionInfo);
      await world.driver.connect(connectionInfo);
      assert.equal(JSON.stringify(connectionInfo), before);
      await world.driver.disconnect(connectionInfo);
      assert.equal(JSON.stringify(connectionInfo), before);
    });

    promise('connect() of an unknown LUN rejects with DEVICE_NOT_FOUND and leaves nothing', async (world) => {
      const { connectionInfo } = await publishOne(world);
      await assertRejects(world.driver.connect(withData(connectionInfo, { target_lun: 77 })), 'DEVICE_NOT_FOUND');
    });

    // RFC 7143, 11.13.5 has "not found" for it; LIO answers "service unavailable", which is tried again until the time
    // is up.
    promise(
      'connect() of an unknown target rejects with LOGIN_REFUSED or PORTAL_UNREACHABLE, leaving nothing',
      async (world) => {
        const { connectionInfo } = await publishOne(world);
        await assertRejects(
          world.driver.connect(withData(connectionInfo, { target_iqn: 'iqn.2026-11.org.example:nobody' })),
          'LOGIN_REFUSED',
          'PORTAL_UNREACHABLE',
        );
      },
    );

    promise('connect() through a dead portal rejects with PORTAL_UNREACHABLE and leaves nothing', async (world) => {
      const { connectionInfo } = await publishOne(world);
      await assertRejects(
        world.driver.connect(withData(connectionInfo, { target_portal: world.deadPortal })),
        'PORTAL_UNREACHABLE',
      );
    });

    promise('connect() of two volumes on one target uses one session, and the last one out ends it', async (world) => {
      const [one, two] = await publishTwo(world);
      const first = await world.driver.connect(one.connectionInfo);
      const second = await world.driver.connect(two.connectionInfo);
      assert.equal(second.paths[0].session, first.paths[0].session);
      assert.notEqual(second.device.path, first.device.path);
      await world.driver.disconnect(one.connectionInfo);
      assert.deepEqual(identity(await present(world, two.connectionInfo)), identity(second));
      await world.driver.disconnect(two.connectionInfo);
    });

    promise('find() gives what connect() gave, and undefined before and after', async (world) => {
      const { connectionInfo } = await publishOne(world);
      assert.equal(await world.driver.find(connectionInfo), undefined);
      const volume = await world.driver.connect(connectionInfo);
      assert.deepEqual(identity(await present(world, connectionInfo)), identity(volume));
      await world.driver.disconnect(connectionInfo);
      assert.equal(await world.driver.find(connectionInfo), undefined);
    });

    promise(
      'extend() shows all of a volume that has grown, on the device that it was, and twice is quiet',
      async (world) => {
        const published = await publishOne(world);
        const { connectionInfo, sizeBytes } = published;
        const { device } = await world.driver.connect(connectionInfo);
        const grown = sizeBytes + 32 * 2 ** 20;
        await world.grow(published, grown);
        const started = world.processesStarted();
        const { device: now, ...extended } = await world.driver.extend(connectionInfo);
        assert.ok(
          world.processesStarted() - started <= 2,
          `extend() started ${world.processesStarted() - started} processes`,
        );
        assert.deepEqual(
          { path: now.path, wwid: now.wwid, sizeBytes: now.sizeBytes, ...extended },
          {
            path: device.path,
            wwid: device.wwid,
            sizeBytes: grown,
            oldSizeBytes: sizeBytes,
            newSizeBytes: grown,
            guestResized: false,
            warnings: [],
          },
        );
        assert.equal((await present(world, connectionInfo)).device.sizeBytes, grown);
        assert.equal((await world.driver.extend(connectionInfo)).oldSizeBytes, grown);
        await world.driver.disconnect(connectionInfo);
      },
    );

    promise(
      'extend() of a volume that is not connected rejects with DEVICE_NOT_FOUND and leaves nothing',
      async (world) => {
        const { connectionInfo } = await publishOne(world);
        await assertRejects(world.driver.extend(connectionInfo), 'DEVICE_NOT_FOUND');
      },
    );

    promise('disconnect() says whether there was anything, and twice is quiet', async (world) => {
      const { connectionInfo } = await publishOne(world);
      await world.driver.connect(connectionInfo);
      assert.equal((await world.driver.disconnect(connectionInfo)).found, true);
      assert.equal((await world.driver.disconnect(connectionInfo)).found, false);
    });

    promise('disconnect() of a busy device rejects with DEVICE_IN_USE and keeps it', async (world) => {
      const { connectionInfo } = await publishOne(world);
      const { device } = await world.driver.connect(connectionInfo);
      const letGo = await world.holdOpen(device.path);
      await assertRejects(world.driver.disconnect(connectionInfo), 'DEVICE_IN_USE');
      assert.equal((await present(world, connectionInfo)).device.path, device.path);
      await letGo();
      await world.driver.disconnect(connectionInfo);
    });

    promise(
      'disconnect() with another WWID rejects with DEVICE_MISMATCH and touches nothing, with force too',
      async (world) => {
        const { connectionInfo } = await publishOne(world);
        const { device } = await world.driver.connect(connectionInfo);
        assert.ok(device.wwid !== undefined);
        for (const force of [false, true])
          await assertRejects(
            world.driver.disconnect(connectionInfo, { wwid: `${device.wwid}0`, force }),
            'DEVICE_MISMATCH',
          );
        assert.equal((await present(world, connectionInfo)).device.path, device.path);
        assert.equal((await world.driver.disconnect(connectionInfo, { wwid: device.wwid })).found, true);
      },
    );

    promise(
      'connect() aborted midway rejects with ABORTED and leaves nothing, wherever it is aborted',
      async (world) => {
        const { connectionInfo } = await publishOne(world);
        for (const uses of [0, 2, 5, 10, 15, 20, 25, 30, 40, 50, 60]) {
          const outcome = await world.driver.connect(connectionInfo, { signal: world.abortAfter(uses) }).then(
            () => 'connected' as const,
            (error: unknown) => error,
          );
          if (outcome === 'connected') await world.driver.disconnect(connectionInfo);
          else
            assert.ok(isVolumeError(outcome, 'ABORTED'), `aborted after ${uses} uses of the host: ${String(outcome)}`);
          assert.deepEqual(await world.residue(), [], `left behind when aborted after ${uses} uses of the host`);
        }
      },
    );

    promise(
      "connect() and disconnect() of one target at the same time never take each other's device away",
      async (world) => {
        const [one, two] = await publishTwo(world);
        await world.driver.connect(one.connectionInfo);
        const [, volume] = await Promise.all([
          world.driver.disconnect(one.connectionInfo),
          world.driver.connect(two.connectionInfo),
        ]);
        assert.deepEqual(identity(await present(world, two.connectionInfo)), identity(volume));
        await world.driver.disconnect(two.connectionInfo);
      },
    );
  });
}

async function publishOne(world: VolumeWorld): Promise<PublishedVolume> {
  const [volume] = await world.publish(1);
  assert.ok(volume !== undefined);
  return volume;
}

async function publishTwo(world: VolumeWorld): Promise<readonly [PublishedVolume, PublishedVolume]> {
  const [one, two] = await world.publish(2);
  assert.ok(one !== undefined && two !== undefined);
  return [one, two];
}

async function present(world: VolumeWorld, connectionInfo: unknown): Promise<ConnectedVolume> {
  const volume = await world.driver.find(connectionInfo);
  assert.ok(volume !== undefined, 'the volume is not connected');
  return volume;
}

/** What stays the same as long as a volume is connected. */
function identity({ device, paths }: ConnectedVolume): object {
  return {
    path: device.path,
    wwid: device.wwid,
    sizeBytes: device.sizeBytes,
    sessions: paths.map(({ session }) => session),
  };
}

/** The same for every path, where the connection_info lists several. */
function withData(connectionInfo: unknown, changes: Readonly<Record<string, unknown>>): unknown {
  const info = structuredClone(connectionInfo) as { data: Record<string, unknown> };
  const lists = Object.entries(changes).flatMap(([key, value]) => {
    const list = info.data[`${key}s`];
    return Array.isArray(list) ? [[`${key}s`, list.map(() => value)] as const] : [];
  });
  return { ...info, data: { ...info.data, ...changes, ...Object.fromEntries(lists) } };
}

async function assertRejects(promise: Promise<unknown>, ...codes: readonly VolumeErrorCode[]): Promise<void> {
  const outcome = await promise.then(
    () => 'it resolved',
    (error: unknown) => error,
  );
  const code = isVolumeError(outcome) ? `${outcome.code} ` : '';
  const got = outcome instanceof Error ? `${code}${outcome.message}` : String(outcome);
  assert.ok(isVolumeError(outcome, ...codes), `expected ${codes.join(' or ')}, got ${got}`);
}
