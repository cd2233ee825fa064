import { describe, expect, test } from '@jest/globals';
import { failure, INFO, openMultipathWorld, PORTALS } from './multipath-world.js';
import { infoFor, IQN } from './recorded-world.js';
import { ROOT } from '../fakes/fake-release.js';

describe('the sessions of a map', () => {
  const patienceOf = ({ host }: ReturnType<typeof openMultipathWorld>): readonly string[] =>
    host.kernel.sessions.map(
      ({ id }) => host.tree.read(`/sys/class/iscsi_session/session${id}/recovery_tmo`)?.trim() ?? '',
    );

  test.each([
    [{}, '15'],
    [{ multipath_replacement_timeout_seconds: 7 }, '7'],
  ] as const)('connect() of a map, under %j, sets replacement timeouts of %s s', async (config, seconds) => {
    const world = openMultipathWorld(config);
    await world.driver.connect(INFO);
    expect(patienceOf(world)).toEqual(PORTALS.map(() => seconds));
  });

  test('connect() restores the replacement timeout of a session that is left without a map', async () => {
    const world = openMultipathWorld();
    world.host.kernel.multipathd.blacklistsAll = true;
    await world.driver.connect(INFO);
    expect(patienceOf(world)).toEqual(['120']);
    const [portal] = world.host.tree.list(`${ROOT}/nodes/${IQN}`);
    expect(world.host.tree.read(`${ROOT}/nodes/${IQN}/${portal ?? ''}/default`)).toContain(
      'node.session.timeo.replacement_timeout = 120\n',
    );
    await world.driver.disconnect(INFO);
    expect(await world.residue()).toEqual([]);
  });

  test('connect() over one path keeps the replacement timeout of iscsid.conf', async () => {
    const world = openMultipathWorld();
    world.host.kernel.multipathd.stop();
    world.host.tree.write('/etc/iscsi/iscsid.conf', 'node.session.timeo.replacement_timeout = 300\n');
    await world.driver.connect(INFO);
    expect(patienceOf(world)).toEqual(['300']);
  });
});

test('login_attempts counts the tries at a silent portal, login_timeout_seconds bounds each', async () => {
  const world = openMultipathWorld({ login_attempts: 3, login_timeout_seconds: 4, volume_use_multipath: false });
  const began = world.clock.now();
  expect(await failure(world.driver.connect(infoFor(['192.0.2.99:3260'])))).toMatchObject({
    code: 'PORTAL_UNREACHABLE',
  });
  expect(world.clock.now() - began).toBeGreaterThanOrEqual(12_000);
});
