import { describe, expect, test } from '@jest/globals';
import { DatabaseLock } from '../../src/database/database-lock.js';
import { ownerOf, ownName } from '../../src/database/file-owner.js';
import { RecordedLog } from '../driver/recorded-world.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { FakeHost } from '../fakes/fake-host.js';
import { FakeLocks } from '../fakes/fake-locks.js';
import type { FakeProcess } from '../fakes/fake-processes.js';
import { OPEN_ISCSI_2_1_11, OPEN_ISCSI_2_1_8 } from '../fakes/fake-release.js';

const FOLDER = '/run/lock/iscsi';
const LOCK = `${FOLDER}/lock.write`;
const SIGNAL = new AbortController().signal;
const locks = (): FakeLocks => new FakeLocks();

class Scene {
  readonly clock = new FakeClock();
  readonly host: FakeHost;
  readonly log = new RecordedLog();
  readonly locks = locks();

  constructor(release = OPEN_ISCSI_2_1_8) {
    this.host = new FakeHost({ clock: this.clock, release });
  }

  /** The lock as one process of the host has it. */
  of(process: FakeProcess = this.host.processes.start()): DatabaseLock {
    return new DatabaseLock({
      files: this.host,
      clock: this.clock,
      processes: process,
      locks: this.locks,
      logger: this.log,
      folder: FOLDER,
    });
  }

  /** The lock's folder, but for the file that open-iscsi makes its link of. */
  get left(): readonly string[] {
    return this.host.tree.list(FOLDER).filter((name) => name !== 'lock');
  }

  async sleep(ms: number): Promise<void> {
    await this.clock.sleep(ms, SIGNAL);
  }
}

const never = async (): Promise<never> => await new Promise(() => undefined);
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
};

describe('DatabaseLock.hold()', () => {
  test('DatabaseLock.hold() has the lock while the body runs, and leaves nothing', async () => {
    const scene = new Scene();
    expect(await scene.of().hold(SIGNAL, async () => scene.host.tree.kind(LOCK))).toBe('file');
    expect(scene.left).toEqual([]);
  });

  test('DatabaseLock.hold() serves all of one process in order, under one hold for those waiting', async () => {
    const scene = new Scene();
    const lock = scene.of();
    const order: string[] = [];
    const seen = new Set<string | undefined>();
    await Promise.all(
      Array.from({ length: 50 }, async (_unused, index) => {
        await lock.hold(SIGNAL, async () => {
          seen.add(scene.host.tree.read(LOCK));
          order.push(`${index} begins`);
          await scene.sleep(1);
          order.push(`${index} ends`);
        });
      }),
    );
    expect(order).toEqual(Array.from({ length: 50 }, (_unused, index) => [`${index} begins`, `${index} ends`]).flat());
    expect(seen.size).toBe(1);
  });

  test('DatabaseLock.hold() lets others in after a tenth of a second, however many wait', async () => {
    const scene = new Scene();
    const lock = scene.of();
    const holds = new Set<string | undefined>();
    await Promise.all(
      Array.from({ length: 25 }, async () => {
        await lock.hold(SIGNAL, async () => {
          holds.add(scene.host.tree.read(LOCK));
          await scene.sleep(10);
        });
      }),
    );
    expect(holds.size).toBe(3);
  });

  test('DatabaseLock.hold() is exclusive between processes', async () => {
    const scene = new Scene();
    let [inside, most] = [0, 0];
    await Promise.all(
      Array.from({ length: 8 }, () => scene.of()).flatMap((lock) =>
        Array.from({ length: 5 }, async () => {
          await lock.hold(SIGNAL, async () => {
            most = Math.max(most, ++inside);
            await scene.sleep(30);
            inside -= 1;
          });
        }),
      ),
    );
    expect(most).toBe(1);
    expect(scene.left).toEqual([]);
  });

  test('DatabaseLock.hold() that fails or is aborted holds up no other', async () => {
    const scene = new Scene();
    const lock = scene.of();
    const controller = new AbortController();
    const first = lock.hold(SIGNAL, async () => {
      await scene.sleep(50);
      controller.abort();
      throw new Error('the first');
    });
    const second = lock.hold(controller.signal, async () => 'the second');
    const third = lock.hold(SIGNAL, async () => 'the third');
    await expect(first).rejects.toThrow('the first');
    await expect(second).rejects.toMatchObject({ code: 'ABORTED' });
    expect(await third).toBe('the third');
    await expect(lock.hold(AbortSignal.abort(), async () => 0)).rejects.toMatchObject({ code: 'ABORTED' });
    expect(scene.left).toEqual([]);
  });

  test("DatabaseLock.hold() waits 30 s for open-iscsi's lock and names it, polling as open-iscsi does", async () => {
    const scene = new Scene();
    scene.host.tree.write(LOCK, '');
    const held = scene.of().hold(SIGNAL, async () => scene.clock.now());
    await scene.sleep(29_995);
    scene.host.tree.remove(LOCK);
    expect(await held).toBeLessThanOrEqual(30_006);
    scene.host.tree.write(LOCK, '');
    await expect(scene.of().hold(SIGNAL, async () => 0)).rejects.toMatchObject({
      code: 'DATABASE_LOCKED',
      message: expect.stringContaining('30 s') as unknown,
      hint: expect.stringContaining('pgrep -x iscsiadm') as unknown,
    });
    expect(scene.left).toEqual(['lock.write']);
  });

  test('DatabaseLock.hold() refuses each waiting caller when its own time is over', async () => {
    const scene = new Scene();
    scene.host.tree.write(LOCK, '');
    const lock = scene.of();
    const early = lock.hold(SIGNAL, async () => 'early').catch((error: unknown) => error);
    await scene.sleep(20_000);
    const late = lock.hold(SIGNAL, async () => 'late');
    expect(await early).toMatchObject({ code: 'DATABASE_LOCKED' });
    scene.host.tree.remove(LOCK);
    expect(await late).toBe('late');
  });

  test('DatabaseLock.hold() behind a body that never ends is refused by name, in bounded time', async () => {
    const scene = new Scene();
    const lock = scene.of();
    lock.hold(SIGNAL, never).catch(() => undefined);
    await settled();
    await expect(lock.hold(SIGNAL, async () => 0)).rejects.toMatchObject({
      code: 'DATABASE_LOCKED',
      hint: expect.stringContaining('of this library') as unknown,
    });
    scene.host.tree.remove(LOCK);
    expect(await lock.hold(SIGNAL, async () => 'free again')).toBe('free again');
  });

  test("DatabaseLock.hold() does not remove another's lock, where iscsiadm 2.1.8 has removed ours", async () => {
    const scene = new Scene();
    await scene.of().hold(SIGNAL, async () => {
      expect(await scene.host.toolLock.take()).toBe(true); // 30 s later
      scene.host.toolLock.giveBack();
      scene.host.tree.write(LOCK, 'of a third');
    });
    expect(scene.host.tree.read(LOCK)).toBe('of a third');
    expect(scene.log.warnings).toHaveLength(1);
  });
});

describe('a lock whose process was killed', () => {
  /** Ends a process inside its hold. */
  async function killed(scene: Scene): Promise<FakeProcess> {
    const process = scene.host.processes.start();
    scene
      .of(process)
      .hold(SIGNAL, never)
      .catch(() => undefined);
    await settled();
    process.kill();
    return process;
  }

  test.each([OPEN_ISCSI_2_1_8, OPEN_ISCSI_2_1_11])('hold() takes over a dead lock ($version)', async (release) => {
    const scene = new Scene(release);
    await killed(scene);
    const began = scene.clock.now();
    await scene.of().hold(SIGNAL, async () => undefined);
    expect(scene.clock.now() - began).toBeLessThan(300);
    expect(scene.log.warnings.map(({ message }) => message)).toEqual([
      "Took open-iscsi's database lock from a process that was killed",
    ]);
    expect(scene.host.tree.kind(LOCK)).toBeUndefined();
  });

  test('DatabaseLock.hold() by ten at once takes over a dead lock once, beside an iscsiadm', async () => {
    const scene = new Scene();
    await killed(scene);
    let [inside, most] = [0, 0];
    const enter = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      await scene.sleep(7);
      inside -= 1;
    };
    const tools = Array.from({ length: 5 }, async () => {
      await scene.host.toolLock.take();
      await enter();
      scene.host.toolLock.giveBack();
    });
    await Promise.all([
      ...tools,
      ...Array.from({ length: 10 }, async () => {
        await scene.of().hold(SIGNAL, enter);
      }),
    ]);
    expect(most).toBe(1);
    expect(scene.log.warnings).toHaveLength(1);
  });

  test.each<[string, (owner: { readonly pid: number; readonly start: string }) => string]>([
    [
      'a process that has the number of the dead one',
      ({ pid }) =>
        ownName({
          bootId: '8f2b6f0e-1d1c-4a39-9a55-1c1f0d7f2f10',
          namespaces: '4026531836.4026531834',
          pid,
          start: '1',
        }),
    ],
    [
      'another boot',
      ({ pid, start }) => ownName({ bootId: '00000000-1d1c-4a39-9a55-1c1f0d7f2f10', namespaces: '1.2', pid, start }),
    ],
  ])('DatabaseLock.hold() takes over a lock of %s', async (_what, nameOf) => {
    const scene = new Scene();
    const { identity } = scene.host.processes.start();
    scene.host.tree.write(LOCK, nameOf(identity));
    expect(await scene.of().hold(SIGNAL, async () => 'held')).toBe('held');
  });

  test('DatabaseLock.hold() leaves a dead lock to the next look where it lost the right to take it away', async () => {
    const scene = new Scene();
    const { host, locks: between } = scene;
    const { bootId } = host.processes.start().identity;
    host.tree.write(LOCK, ownName({ bootId, namespaces: '4026531836.4026531834', pid: 1, start: '1' }));
    const readText = host.readText.bind(host);
    let lost = 0;
    host.readText = async (path) => {
      if (lost === 0 && between.lose('open-iscsi-database')) lost += 1;
      return await readText(path);
    };
    const began = scene.clock.now();
    expect(await scene.of().hold(SIGNAL, async () => 'held')).toBe('held');
    expect(lost).toBe(1);
    expect(scene.clock.now() - began).toBeGreaterThanOrEqual(250);
  });

  test.each<[string, (owner: { readonly pid: number; readonly start: string }) => string]>([
    [
      'a process that runs',
      (owner) =>
        ownName({ bootId: '8f2b6f0e-1d1c-4a39-9a55-1c1f0d7f2f10', namespaces: '4026531836.4026531834', ...owner }),
    ],
    [
      'another container',
      () =>
        ownName({
          bootId: '8f2b6f0e-1d1c-4a39-9a55-1c1f0d7f2f10',
          namespaces: '4026539999.4026531834',
          pid: 9,
          start: '1',
        }),
    ],
    [
      'a process of which no namespace was known',
      () => ownName({ bootId: '8f2b6f0e-1d1c-4a39-9a55-1c1f0d7f2f10', namespaces: '', pid: 9, start: '1' }),
    ],
    [
      'a process of which no boot was known',
      () => ownName({ bootId: '', namespaces: '4026531836.4026531834', pid: 9, start: '1' }),
    ],
    ['open-iscsi', () => ''],
    [
      'somebody whose text only looks like ours',
      () => 'libvirt-volume.8f2b6f0e-1d1c-4a39-9a55-1c1f0d7f2f10.4026531836.4026531834.9.1.1\nrm',
    ],
  ])('DatabaseLock.hold() leaves and names a lock of %s', async (_what, nameOf) => {
    const scene = new Scene();
    const text = nameOf(scene.host.processes.start().identity);
    scene.host.tree.write(LOCK, text);
    await expect(scene.of().hold(SIGNAL, async () => 0)).rejects.toMatchObject({
      code: 'DATABASE_LOCKED',
      details: { path: LOCK },
    });
    expect([scene.host.tree.read(LOCK), scene.left]).toEqual([text, ['lock.write']]);
  });

  test("DatabaseLock.hold() puts back a lock that turns out to be another's", async () => {
    const scene = new Scene();
    await killed(scene);
    const rename = scene.host.rename.bind(scene.host);
    scene.host.rename = async (path, to) => {
      // an iscsiadm of 2.1.8 that had waited for 30 s removed the dead one, and another took the lock, in this very
      // moment
      scene.host.rename = rename;
      scene.host.tree.write(LOCK, 'of another');
      return await rename(path, to);
    };
    const held = scene.of().hold(SIGNAL, async () => 'held');
    await scene.sleep(100);
    expect(scene.host.tree.read(LOCK)).toBe('of another');
    scene.host.tree.remove(LOCK);
    expect(await held).toBe('held');
  });
});

test('ownerOf() reads what ownName() writes, and nothing else', () => {
  const identity = {
    bootId: '8f2b6f0e-1d1c-4a39-9a55-1c1f0d7f2f10',
    namespaces: '4026531836.4026531834',
    pid: 17,
    start: '123',
  };
  expect([ownerOf(ownName(identity)), ownerOf(`${ownName(identity)}.taken`)]).toEqual([identity, identity]);
  const unknown = { bootId: '', namespaces: '', pid: 17, start: '' };
  expect(ownerOf(ownName(unknown))).toEqual(unknown);
  expect(
    [
      '',
      'lock',
      'lock.write',
      'libvirt-volume.',
      'libvirt-volume.x.1.2.3.4.5',
      `${ownName(identity)}/..`,
      ` ${ownName(identity)}`,
    ].map(ownerOf),
  ).toEqual(Array.from({ length: 7 }, () => undefined));
});
