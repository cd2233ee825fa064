import { expect, test } from '@jest/globals';
import { failure } from './multipath-world.js';
import { addTarget, IQN, openRecordedWorld, type RecordedWorld } from './recorded-world.js';
import { INFO, OTHER_UNIT, TCP } from './regression-world.js';

const OTHER_TOOL = { pid: 99, name: 'qemu-system-x86' };

function scanOther({ host }: RecordedWorld): void {
  const [session] = host.kernel.sessions;
  if (session === undefined) throw new Error('There is no session to scan');
  host.kernel.write(`/sys/class/scsi_host/host${session.id}/scan`, '0 0 5');
}

/** What the host does right before its next command with this word. */
function before({ host }: RecordedWorld, word: string, deed: () => void): void {
  const run = host.run.bind(host);
  let isDone = false;
  host.run = async (command, signal) => {
    if (command.args.includes(word) && !isDone) {
      isDone = true;
      deed();
    }
    return await run(command, signal);
  };
}

test('connect() that fails leaves a session, and its disk, that another tool made between look and login', async () => {
  const world = openRecordedWorld();
  const target = addTarget(world, [TCP]);
  target.units.delete(1);
  target.units.set(5, OTHER_UNIT);
  before(world, '--login', () => {
    world.host.kernel.addSession({
      target: IQN,
      portal: { address: '192.0.2.10', port: 3260 },
      iface: 'default',
      transport: 'tcp',
    });
    scanOther(world);
  });
  expect(await failure(world.driver.connect(INFO))).toMatchObject({ code: 'DEVICE_NOT_FOUND' });
  expect(world.host.kernel.sessions).toHaveLength(1);
  expect(world.host.tree.paths().filter((path) => path.startsWith('/dev/sd'))).toHaveLength(1);
});

test('connect() that fails leaves its own session where another tool has scanned a unit into it', async () => {
  const world = openRecordedWorld({ device_timeout_seconds: 1 });
  const target = addTarget(world, [TCP]);
  target.units.delete(1);
  target.units.set(5, OTHER_UNIT);
  const write = world.host.writeAttribute.bind(world.host);
  world.host.writeAttribute = async (path, text, signal) => {
    scanOther(world);
    await write(path, text, signal);
  };
  expect(await failure(world.driver.connect(INFO))).toMatchObject({ code: 'DEVICE_NOT_FOUND' });
  expect(world.host.kernel.sessions).toHaveLength(1);
});

test('disconnect() keeps a session into which another tool scans a unit during the flush, and says so', async () => {
  const world = openRecordedWorld();
  const target = addTarget(world, [TCP]);
  target.units.set(5, OTHER_UNIT);
  await world.driver.connect(INFO);
  const sync = world.host.kernel.sync.bind(world.host.kernel);
  world.host.kernel.sync = (path) => {
    scanOther(world);
    world.host.open('/dev/sdb', OTHER_TOOL);
    sync(path);
  };
  const { found, warnings } = await world.driver.disconnect(INFO);
  expect({ found, warnings }).toEqual({
    found: true,
    warnings: [`the session 1 to ${IQN} stays: a unit that is not the volume's came to it meanwhile`],
  });
  expect(world.host.kernel.sessions).toHaveLength(1);
});
