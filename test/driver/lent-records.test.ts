import { expect, test } from '@jest/globals';
import { openFakeWorld } from '../fakes/fake-world.js';
import { ROOT } from '../fakes/fake-release.js';
import { addTarget, infoFor, IQN, openRecordedWorld, type RecordedWorld } from './recorded-world.js';
import { TCP } from './regression-world.js';

/** Processes that are killed while an administrator's record has the settings of a login. */
const CHAP = { auth_method: 'CHAP', auth_username: 'u', auth_password: 'a-tenants-secret' };
const INFO = infoFor(['192.0.2.10:3260'], CHAP);
const RECORD = `${ROOT}/nodes/${IQN}/192.0.2.10,3260,1/default`;
const THEIRS = [
  `node.name = ${IQN}`,
  'node.tpgt = 1',
  'node.startup = automatic',
  'node.conn[0].address = 192.0.2.10',
  'node.conn[0].port = 3260',
  'iface.iscsi_ifacename = default',
  'node.session.scan = auto',
  'node.session.auth.authmethod = CHAP',
  'node.session.auth.username = admin',
  'node.session.auth.password = theirs',
  '',
].join('\n');

/** The first process is dead: it was killed as it began to log in. */
async function openAfterKill(): Promise<RecordedWorld> {
  const world = openRecordedWorld();
  addTarget(world, [TCP], { username: 'u', password: 'a-tenants-secret' });
  world.host.tree.write(RECORD, THEIRS);
  const run = world.host.run.bind(world.host);
  const killed = new Promise<void>((resolve) => {
    world.host.run = async (command, signal) => {
      if (!command.args.includes('--login')) return await run(command, signal);
      resolve();
      return await new Promise(() => undefined);
    };
  });
  world.driver.connect(INFO).catch(() => undefined);
  await killed;
  world.host.run = run;
  return openRecordedWorld({}, openFakeWorld({}, 'iscsi', world));
}

test('connect() after a killed one logs in, and gives an administrator the record back to the byte', async () => {
  const world = await openAfterKill();
  expect(world.host.tree.read(RECORD)).toContain('a-tenants-secret');
  await world.driver.connect(INFO);
  expect(world.host.tree.read(RECORD)).toBe(THEIRS);
  await world.driver.disconnect(INFO);
  expect(world.host.tree.read(RECORD)).toBe(THEIRS);
});

test('disconnect() after a killed connect() gives an administrator the record back', async () => {
  const world = await openAfterKill();
  await world.driver.disconnect(INFO);
  expect(world.host.tree.read(RECORD)).toBe(THEIRS);
  expect(await world.residue()).toEqual([RECORD]);
});
