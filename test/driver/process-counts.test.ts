import { describe, expect, test } from '@jest/globals';
import { commandsOf, openMultipathWorld, PORTALS, portalsOf } from './multipath-world.js';
import { addTarget, infoFor, openRecordedWorld, type RecordedWorld } from './recorded-world.js';
import { OTHER_UNIT } from './regression-world.js';

/**
 * How many processes each call costs, those that hold its locks among them. The same on a kernel, counted by it:
 * lab/scenarios/process-counts.ts.
 */

const CHAP = { username: 'volumes', password: 'right-secret' };
const WITH_CHAP = { auth_method: 'CHAP', auth_username: CHAP.username, auth_password: CHAP.password };

interface Host {
  readonly world: RecordedWorld;
  readonly one: unknown;
  readonly two: unknown;
}

function onePath(config: Readonly<Record<string, unknown>>, serves: 'tcp' | 'iser' = 'tcp'): Host {
  const world = openRecordedWorld(config);
  addTarget(world, portalsOf(serves).slice(0, 1), CHAP).units.set(2, OTHER_UNIT);
  const info = (lun: number): unknown =>
    infoFor(PORTALS.slice(0, 1), { target_luns: [lun], volume_id: `volume-${lun}`, ...WITH_CHAP });
  return { world, one: info(1), two: info(2) };
}

function fourPaths(): Host {
  const world = openMultipathWorld();
  world.target.units.set(2, OTHER_UNIT);
  const info = (lun: number): unknown =>
    infoFor(PORTALS, { target_luns: PORTALS.map(() => lun), volume_id: `volume-${lun}` });
  return { world, one: info(1), two: info(2) };
}

/**
 * What a call costs: the processes, how many of them are iscsiadm, and what is asked of multipathd, which is a process
 * each on Node 20 alone.
 */
async function costOf(
  world: RecordedWorld,
  call: () => Promise<unknown>,
): Promise<{ readonly processes: number; readonly iscsiadm: number; readonly asked: number }> {
  const started = world.processesStarted();
  const commands = world.host.commands.length;
  await call();
  const count = (program: string): number =>
    commandsOf(world)
      .slice(commands)
      .filter((line) => line.startsWith(`${program} `)).length;
  return { processes: world.processesStarted() - started, iscsiadm: count('iscsiadm'), asked: count('multipathd') };
}

describe.each([
  ['one path, with CHAP', () => onePath({}), { first: 2, second: 1, last: 2, reminders: 0, questions: 0 }],
  [
    'one path over iSER, with CHAP',
    () => onePath({ iscsi_iface: 'iser', iscsi_iface_fallback: 'none' }, 'iser'),
    { first: 2, second: 1, last: 2, reminders: 0, questions: 0 },
  ],
  ['four paths and a map', fourPaths, { first: 3, second: 2, last: 3, reminders: 1, questions: 2 }],
] as const)('processes of a volume of %s', (_what, open, { first, second, last, reminders, questions }) => {
  test('connect() starts the lock, one login for all paths, and the entry of a WWID for a map', async () => {
    const { world, one } = open();
    expect(await costOf(world, async () => await world.driver.connect(one))).toEqual({
      processes: first,
      iscsiadm: 1,
      asked: reminders,
    });
  });

  test('connect() of a second LUN on existing sessions runs no iscsiadm', async () => {
    const { world, one, two } = open();
    await world.driver.connect(one);
    expect(await costOf(world, async () => await world.driver.connect(two))).toEqual({
      processes: second,
      iscsiadm: 0,
      asked: reminders,
    });
  });

  test('extend() and find() start nothing but the lock', async () => {
    const { world, one } = open();
    await world.driver.connect(one);
    world.host.targets[0]?.resize(1, 2 * 2 ** 30);
    expect(
      await costOf(world, async () => {
        expect((await world.driver.extend(one)).newSizeBytes).toBe(2 * 2 ** 30);
      }),
    ).toEqual({ processes: 1, iscsiadm: 0, asked: questions / 2 });
    expect(await costOf(world, async () => await world.driver.find(one))).toEqual({
      processes: 0,
      iscsiadm: 0,
      asked: 0,
    });
  });

  test('disconnect() of the last LUN ends all sessions by one iscsiadm, of the LUN before it by none', async () => {
    const { world, one, two } = open();
    await world.driver.connect(one);
    await world.driver.connect(two);
    expect(await costOf(world, async () => await world.driver.disconnect(two))).toEqual({
      processes: second,
      iscsiadm: 0,
      asked: questions,
    });
    expect(await costOf(world, async () => await world.driver.disconnect(one))).toEqual({
      processes: last,
      iscsiadm: 1,
      asked: questions,
    });
    expect(await world.residue()).toEqual([]);
  });

  test('attach() and detach() start as many processes as connect() and disconnect()', async () => {
    const { world, one } = open();
    const domain = { kind: 'name', name: 'web1' } as const;
    world.libvirt.addDomain({ name: domain.name });
    expect(
      await costOf(world, async () => await world.driver.attach(domain, one, { dev: 'vdb', bus: 'virtio' })),
    ).toEqual({ processes: first, iscsiadm: 1, asked: reminders });
    expect(await costOf(world, async () => await world.driver.detach(domain, one))).toEqual({
      processes: last,
      iscsiadm: 1,
      asked: questions,
    });
  });
});
