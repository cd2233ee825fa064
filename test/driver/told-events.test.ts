import { expect, test } from '@jest/globals';
import { failure } from './multipath-world.js';
import { addTarget, infoFor, IQN, openRecordedWorld, WWID } from './recorded-world.js';

const TCP = { address: '192.0.2.10', port: 3260, serves: 'tcp' } as const;
const INFO = infoFor(['192.0.2.10:3260']);
const PLACE = { target: IQN, portal: '192.0.2.10:3260' };

test('connect() and disconnect() emit what they did, and for which volume', async () => {
  const world = openRecordedWorld();
  addTarget(world, [TCP]);
  await world.driver.connect(INFO);
  await world.driver.disconnect(INFO);
  await world.driver.disconnect(INFO);
  const wwid = `3${WWID.slice(4)}`;
  expect(world.told).toEqual([
    {
      kind: 'volume-connected',
      wwid,
      device: '/dev/sda',
      requested: 'default',
      used: 'default',
      paths: 1,
      durationMs: expect.any(Number) as unknown,
    },
    { kind: 'volume-disconnected', wwid, found: true, durationMs: expect.any(Number) as unknown },
    { kind: 'volume-disconnected', wwid: undefined, found: false, durationMs: expect.any(Number) as unknown },
  ]);
});

test('connect() that falls back emits the failed login and the fallback with its reason, counting both', async () => {
  const world = openRecordedWorld({ iscsi_iface: 'iser' });
  addTarget(world, [TCP]);
  const { transport } = await world.driver.connect(INFO);
  expect(world.told).toEqual([
    { kind: 'login-failed', iface: 'iser', ...PLACE, code: 'PORTAL_UNREACHABLE' },
    { kind: 'transport-fallback', requested: 'iser', used: 'default', ...PLACE, ...transport.fallback },
    expect.objectContaining({ kind: 'volume-connected', requested: 'iser', used: 'default' }),
  ]);
});

test('connect() with a wrong password emits one failed login, and no fallback', async () => {
  const world = openRecordedWorld({ iscsi_iface: 'iser' });
  addTarget(world, [{ ...TCP, serves: 'iser' }], { username: 'u', password: 'right' });
  await failure(
    world.driver.connect(
      infoFor(['192.0.2.10:3260'], { auth_method: 'CHAP', auth_username: 'u', auth_password: 'hush-hush-hush' }),
    ),
  );
  expect(world.told).toEqual([{ kind: 'login-failed', iface: 'iser', ...PLACE, code: 'LOGIN_AUTH_FAILED' }]);
});

test('connect() of a second process does not wait for a transport that failed in the first', async () => {
  const first = openRecordedWorld({ iscsi_iface: 'iser' });
  addTarget(first, [TCP]);
  await first.driver.connect(INFO);
  await first.driver.disconnect(INFO);
  const second = openRecordedWorld({ iscsi_iface: 'iser' }, first);
  const before = first.host.commands.length;
  const { transport, warnings } = await second.driver.connect(INFO);
  expect({
    fallback: transport.fallback?.code,
    logins: first.host.commands.slice(before).map(({ args }) => args[args.indexOf('-I') + 1]),
  }).toEqual({ fallback: 'PORTAL_UNREACHABLE', logins: ['default'] });
  expect(warnings).toEqual([
    expect.stringMatching(
      /^default is used and not iser: The iface iser failed at \S+:3260 and is tried again in \d+ s: Cannot log in/,
    ),
  ]);
});
