import { expect, test } from '@jest/globals';
import { GuestDisks } from '../../src/guest/guest-disks.js';
import { LibvirtISCSIVolumeDriver } from '../../src/driver/libvirt-iscsi-volume-driver.js';
import { openHostRecovery } from '../../src/recovery/open-host-recovery.js';
import { killAt } from '../fakes/dying-process.js';
import { openFakeWorld } from '../fakes/fake-world.js';
import { INFO as FOUR, openMultipathWorld } from '../driver/multipath-world.js';
import { addTarget, openRecordedWorld, type RecordedWorld } from '../driver/recorded-world.js';
import { INFO, TCP } from '../driver/regression-world.js';

/**
 * Every deed of a call, found by running it: killed before and after each, and three ways on. What is left of the
 * volume in the end is nothing.
 */
const WEB1 = { kind: 'name', name: 'web1' } as const;
const VDB = { dev: 'vdb', bus: 'virtio' };
const MOST_DEEDS = 200;

interface Scene {
  readonly world: RecordedWorld;
  readonly info: unknown;
}

function onePath(): Scene {
  const world = openRecordedWorld();
  addTarget(world, [TCP]);
  world.libvirt.addDomain({ name: 'web1' });
  return { world, info: INFO };
}

function fourPaths(): Scene {
  const world = openMultipathWorld();
  world.libvirt.addDomain({ name: 'web1' });
  return { world, info: FOUR };
}

/** What the next process of the service works with. */
function nextProcess(world: RecordedWorld): RecordedWorld['parts'] {
  const { parts } = openRecordedWorld({}, openFakeWorld({}, 'iscsi', world));
  const { libvirt } = world;
  const { clock, logger, options } = parts;
  const guestDisks = new GuestDisks({ libvirt, clock, logger, timeoutMs: options.deviceTimeoutMs });
  return { ...parts, libvirt, guestDisks };
}

type Way = (parts: RecordedWorld['parts'], info: unknown) => Promise<unknown>;

const connect: Way = async (parts, info) => await new LibvirtISCSIVolumeDriver(parts).connect(info);
const disconnect: Way = async (parts, info) => await new LibvirtISCSIVolumeDriver(parts).disconnect(info);
const attach: Way = async (parts, info) => await new LibvirtISCSIVolumeDriver(parts).attach(WEB1, info, VDB);
const detach: Way = async (parts, info) => await new LibvirtISCSIVolumeDriver(parts).detach(WEB1, info);
const reconcile: Way = async (parts) => {
  const items = await openHostRecovery(parts).reconcile();
  expect(items.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
};
const inOrder =
  (...ways: readonly Way[]): Way =>
  async (parts, info) => {
    for (const way of ways) await way(parts, info);
  };

const CALLS: readonly {
  readonly call: string;
  readonly prepare?: Way;
  readonly run: Way;
  readonly ways: Readonly<Record<string, Way>>;
}[] = [
  {
    call: 'connect()',
    run: connect,
    ways: {
      'connect(), disconnect()': inOrder(connect, disconnect),
      'disconnect()': disconnect,
      'reconcile()': reconcile,
    },
  },
  {
    call: 'disconnect()',
    prepare: connect,
    run: disconnect,
    ways: {
      'disconnect()': disconnect,
      'connect(), disconnect()': inOrder(connect, disconnect),
      'reconcile()': reconcile,
    },
  },
  {
    call: 'attach()',
    run: attach,
    ways: {
      'attach(), detach()': inOrder(attach, detach),
      'detach()': detach,
      'reconcile(), detach()': inOrder(reconcile, detach),
    },
  },
  {
    call: 'detach()',
    prepare: attach,
    run: detach,
    ways: {
      'detach()': detach,
      'attach(), detach()': inOrder(attach, detach),
      'reconcile(), detach()': inOrder(reconcile, detach),
    },
  },
];

function leftIn({ host, libvirt }: RecordedWorld): readonly string[] {
  const disks = (['live', 'config'] as const).flatMap((which) =>
    libvirt.disksOf('web1', which).map(({ targetDev }) => `${targetDev} in the ${which} description`),
  );
  return [...host.residue(), ...disks];
}

const ROWS = CALLS.flatMap(({ call, prepare, run, ways }) =>
  Object.entries(ways).flatMap(([way, next]) =>
    (
      [
        ['one path', onePath],
        ['four paths', fourPaths],
      ] as const
    ).map(([paths, open]) => ({ call, way, paths, open, prepare, run, next })),
  ),
);

test.each(ROWS)(
  '$call over $paths, killed at each deed: $way leaves nothing',
  async ({ open, prepare, run, next }) => {
    const failed: string[] = [];
    let deeds = 0;
    for (const when of ['before', 'after'] as const) {
      for (let n = 1; n < MOST_DEEDS; n++) {
        const { world, info } = open();
        await prepare?.(world.parts, info);
        const { at } = await killAt(world, n, when, async () => await run(world.parts, info));
        if (at === undefined) break;
        deeds += 1;
        const outcome = await next(nextProcess(world), info).then(
          () => [],
          (error: unknown) => [String(error)],
        );
        const left = [...outcome, ...leftIn(world)];
        if (left.length > 0) failed.push(`${when} ${at}: ${left.join('; ')}`);
      }
    }
    expect(failed).toEqual([]);
    expect(deeds).toBeGreaterThan(10);
  },
  120_000,
);
