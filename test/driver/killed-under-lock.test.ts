import { describe, expect, test } from '@jest/globals';
import { openFakeWorld } from '../fakes/fake-world.js';
import { PORTALS, portalsOf } from './multipath-world.js';
import { addTarget, infoFor, openRecordedWorld, type RecordedWorld } from './recorded-world.js';

const INFO = infoFor(PORTALS.slice(0, 1), { auth_method: 'CHAP', auth_username: 'u', auth_password: 'a-secret' });
const LOCK = '/run/lock/iscsi/lock.write';
const METHODS = [
  'run',
  'readText',
  'readBytes',
  'list',
  'realPath',
  'kind',
  'makeDirectory',
  'replace',
  'create',
  'rename',
  'link',
  'remove',
  'removeDirectory',
  'writeAttribute',
  'syncDevice',
  'usersOf',
] as const;

type Deed = (method: (typeof METHODS)[number], args: readonly unknown[]) => boolean;

/**
 * Ends the process with SIGKILL before, or right after, the first deed that is meant: that call and every later one
 * never returns.
 * @returns whether it came to that
 */
async function killAt(world: RecordedWorld, when: 'before' | 'after', isMeant: Deed): Promise<boolean> {
  const { host } = world;
  const patched = host as unknown as Record<string, unknown>;
  const state = { dead: false };
  const never = new Promise(() => undefined);
  for (const method of METHODS) {
    const real = (host[method] as (...args: readonly unknown[]) => Promise<unknown>).bind(host);
    patched[method] = async (...args: readonly unknown[]): Promise<unknown> => {
      if (state.dead) return await never;
      const dies = isMeant(method, args);
      if (dies && when === 'after') await real(...args);
      if (dies) state.dead = true;
      return dies ? await never : await real(...args);
    };
  }
  let ended = false;
  world.driver
    .connect(INFO)
    .catch(() => undefined)
    .finally(() => {
      ended = true;
    })
    .catch(() => undefined);
  const goesOn = (): boolean => !ended && !state.dead;
  for (let turn = 0; turn < 500 && goesOn(); turn++) await new Promise((resolve) => setImmediate(resolve));
  for (const method of METHODS) Reflect.deleteProperty(patched, method);
  return state.dead;
}

function onTarget(): RecordedWorld {
  const world = openRecordedWorld();
  addTarget(world, portalsOf().slice(0, 1), { username: 'u', password: 'a-secret' });
  return world;
}

const own = (path: unknown): boolean => String(path).startsWith('/run/lock/iscsi/libvirt-volume.');
const deeds: readonly (readonly [string, Deed])[] = [
  ['the draft of the record is written', (method, [path]) => method === 'create' && !own(path)],
  ['the file of its own that the lock is to be is made', (method, [path]) => method === 'create' && own(path)],
  ['the lock is taken', (method, [, path]) => method === 'link' && path === LOCK],
  [
    'the folder of the record is made',
    (method, [path]) => method === 'makeDirectory' && String(path).includes('/nodes/'),
  ],
  ['the record is put in its place', (method, [, path]) => method === 'rename' && String(path).includes('/nodes/')],
  ['the lock is given back', (method, [path]) => method === 'remove' && path === LOCK],
  ['the file of its own is removed', (method, [path]) => method === 'remove' && own(path)],
];

describe.each(['before', 'after'] as const)('a process that is killed %s', (when) => {
  test.each(deeds)(
    'connect() and disconnect() succeed and leave nothing after a killed process: %s',
    async (_what, deed) => {
      const world = onTarget();
      expect(await killAt(world, when, deed)).toBe(true);
      const next = openRecordedWorld({}, openFakeWorld({}, 'iscsi', world));
      const began = world.clock.now();
      await next.driver.connect(INFO);
      expect(world.clock.now() - began).toBeLessThan(1_000);
      await next.driver.disconnect(INFO);
      expect(world.host.residue()).toEqual([]);
    },
  );
});

test('DatabaseLock of a running process holds against a new process until it is released', async () => {
  const world = onTarget();
  expect(await killAt(world, 'after', (method, [, path]) => method === 'link' && path === LOCK)).toBe(true);
  const beside = openRecordedWorld({}, openFakeWorld({}, 'iscsi', world, 'besides it'));
  await expect(beside.driver.connect(INFO)).rejects.toMatchObject({
    code: 'DATABASE_LOCKED',
    details: { pid: world.process.identity.pid },
  });
});
