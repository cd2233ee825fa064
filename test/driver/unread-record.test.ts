import { expect, test } from '@jest/globals';
import { OPEN_ISCSI_2_1_11, OPEN_ISCSI_2_1_8, programText, ROOT, THIS_RELEASE } from '../fakes/fake-release.js';
import { failure, PORTALS, portalsOf } from './multipath-world.js';
import { addTarget, infoFor, openRecordedWorld } from './recorded-world.js';

const INFO = infoFor(PORTALS.slice(0, 1));
const OTHER = THIS_RELEASE === OPEN_ISCSI_2_1_8 ? OPEN_ISCSI_2_1_11 : OPEN_ISCSI_2_1_8;

test('connect() whose record iscsiadm does not read names both folders and the option to set', async () => {
  const world = openRecordedWorld({ database_root: OTHER.root });
  addTarget(world, portalsOf().slice(0, 1));
  const error = await failure(world.driver.connect(INFO));
  expect(error).toMatchObject({ code: 'DATABASE_FAILED', details: { exitCode: 21 } });
  expect(error.message).toContain(
    `iscsiadm finds no record, and there is one in ${OTHER.root}/nodes (as the option database_root says)`,
  );
  expect(error.hint).toContain(`as in ${ROOT}: set database_root`);
  expect(world.host.residue()).toEqual([]);
});

test('connect() rediscovers the database of a replaced open-iscsi, after one failure that says so', async () => {
  const world = openRecordedWorld();
  addTarget(world, portalsOf().slice(0, 1));
  await world.driver.connect(INFO);
  await world.driver.disconnect(INFO);
  world.host.release = OTHER;
  world.host.tree.write('/usr/sbin/iscsiadm', programText(OTHER));
  const error = await failure(world.driver.connect(INFO));
  expect(error).toMatchObject({
    code: 'DATABASE_FAILED',
    hint: `open-iscsi has been replaced and keeps its records in ${OTHER.root} now: try again`,
  });
  await world.driver.connect(INFO);
  expect(world.host.tree.list(`${OTHER.root}/nodes`)).toHaveLength(1);
  expect(world.host.tree.list(`${ROOT}/nodes`)).toEqual([]);
});

test('connect() after an upgrade uses the new folder, whatever the old one holds, and leaves that alone', async () => {
  const world = openRecordedWorld();
  const target = addTarget(world, portalsOf().slice(0, 1));
  const old = `${OTHER.root}/nodes/${target.iqn}/192.0.2.10,3260,1/default`;
  world.host.tree.write(old, 'node.name = of the old release\n');
  await world.driver.connect(INFO);
  await world.driver.disconnect(INFO);
  expect([world.host.tree.read(old), world.host.tree.list(`${ROOT}/nodes`)]).toEqual([
    'node.name = of the old release\n',
    [],
  ]);
});
