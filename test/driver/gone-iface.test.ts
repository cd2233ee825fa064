import { expect, test } from '@jest/globals';
import { failure } from './multipath-world.js';
import { ROOT } from '../fakes/fake-release.js';
import { addTarget, IQN, openRecordedWorld, type RecordedWorld } from './recorded-world.js';
import { INFO, TCP } from './regression-world.js';

const RECORD = `${ROOT}/ifaces/nic0`;
const WEB1 = { kind: 'name', name: 'web1' } as const;

async function openWithoutRecord(): Promise<RecordedWorld> {
  const world = openRecordedWorld({ iscsi_iface: 'nic0' });
  addTarget(world, [TCP]);
  world.libvirt.addDomain({ name: 'web1' });
  world.host.tree.write(
    RECORD,
    'iface.iscsi_ifacename = nic0\niface.transport_name = tcp\niface.net_ifacename = eth0\n',
  );
  world.host.tree.write('/sys/class/net/eth0/address', '02:00:00:00:00:01\n');
  await world.driver.attach(WEB1, INFO, { dev: 'vdb', bus: 'virtio' });
  world.host.tree.remove(RECORD);
  return world;
}

test('detach() takes a volume away over an iface whose record has gone', async () => {
  const world = await openWithoutRecord();
  expect(await world.driver.detach(WEB1, INFO)).toMatchObject({ found: true });
  expect(world.log.warnings).toContainEqual(
    expect.objectContaining({
      message: 'An iface has no record any more: its session is ended without it, by its portal',
    }),
  );
  expect({ sessions: world.host.kernel.sessions, residue: await world.residue() }).toEqual({
    sessions: [],
    residue: [],
  });
});

test('find() tells of a volume over an iface without a record; connect() rejects with IFACE_NOT_FOUND', async () => {
  const world = await openWithoutRecord();
  expect(await world.driver.find(INFO)).toMatchObject({ transport: { requested: 'nic0', used: 'nic0' } });
  expect(await failure(world.driver.connect(INFO))).toMatchObject({ code: 'IFACE_NOT_FOUND' });
});

test('disconnect() over an iface without a record ends no session of another iface to the portal', async () => {
  const world = await openWithoutRecord();
  world.host.kernel.addSession({
    target: IQN,
    portal: { address: '192.0.2.10', port: 3260 },
    iface: 'default',
    transport: 'tcp',
  });
  expect(await failure(world.driver.detach(WEB1, INFO))).toMatchObject({
    code: 'LOGOUT_FAILED',
    hint: 'the iface nic0 has no record: make it again, then try again',
  });
  expect(world.host.kernel.sessions.map(({ iface }) => iface)).toEqual(['nic0', 'default']);
});
