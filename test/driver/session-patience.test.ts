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
  ] as const)('may be away, under %j, for %s s before their I/O goes to the others', async (config, seconds) => {
    const world = openMultipathWorld(config);
    await world.driver.connect(INFO);
    expect(patienceOf(world)).toEqual(PORTALS.map(() => seconds));
  });

  test('are patient again where one of them is left without a map, and so is its record', async () => {
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

  test('are as patient as iscsid.conf says where a volume comes over one path', async () => {
    const world = openMultipathWorld();
    world.host.kernel.multipathd.stop();
    world.host.tree.write('/etc/iscsi/iscsid.conf', 'node.session.timeo.replacement_timeout = 300\n');
    await world.driver.connect(INFO);
    expect(patienceOf(world)).toEqual(['300']);
  });
});

test('login_attempts is how many times a portal that does not answer is tried, login_timeout_seconds each', async () => {
  const world = openMultipathWorld({ login_attempts: 3, login_timeout_seconds: 4, volume_use_multipath: false });
  const began = world.clock.now();
  expect(await failure(world.driver.connect(infoFor(['192.0.2.99:3260'])))).toMatchObject({
    code: 'PORTAL_UNREACHABLE',
  });
  expect(world.clock.now() - began).toBeGreaterThanOrEqual(12_000);
});
