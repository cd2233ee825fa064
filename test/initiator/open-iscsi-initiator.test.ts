import { describe, expect, test } from '@jest/globals';
import type { NonEmpty } from '../../src/base/brand.js';
import { SILENT } from '../../src/base/logger.js';
import { parsePortal } from '../../src/connection/portal.js';
import { parseTargetName } from '../../src/connection/target-name.js';
import { parseLun } from '../../src/connection/lun.js';
import type { Command, CommandResult } from '../../src/host/command.js';
import { BUILT_IN_IFACES, type Iface } from '../../src/iface/iface.js';
import { parseIfaceName } from '../../src/iface/iface-name.js';
import { loginCommand, logoutCommand } from '../../src/initiator/iscsiadm-commands.js';
import { loginFailure } from '../../src/initiator/iscsiadm-exit.js';
import { OpenIscsiInitiator } from '../../src/initiator/open-iscsi-initiator.js';
import type { Session } from '../../src/initiator/session.js';
import { EventHub } from '../../src/events/event-hub.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { fakeDatabase } from '../fakes/fake-database.js';
import { FakeHost } from '../fakes/fake-host.js';
import type { FakeSession } from '../fakes/fake-kernel.js';
import { FakeTarget } from '../fakes/fake-target.js';
import { captured, capturedAnswer, capturedRecord } from './captured.js';

const target = parseTargetName('iqn.2026-11.org.example:fixtures');
const path = { target, portal: parsePortal('10.99.1.1:3260'), lun: parseLun(1) };
const RECORD = `/etc/iscsi/nodes/${target}/10.99.1.1,3260,1/default`;
const SIGNAL = new AbortController().signal;
const [TCP, ISER] = BUILT_IN_IFACES as readonly [Iface, Iface];

function open(): { readonly host: FakeHost; readonly initiator: OpenIscsiInitiator } {
  const clock = new FakeClock();
  const host = new FakeHost({ clock });
  host.targets.push(new FakeTarget({ iqn: target, portals: [{ address: '10.99.1.1', port: 3260, serves: 'tcp' }] }));
  return {
    host,
    initiator: new OpenIscsiInitiator({
      stateDirectory: '/var/lib/libvirt-volume',
      commands: host,
      files: host,
      database: fakeDatabase(host),
      clock,
      logger: SILENT,
      events: new EventHub({ logger: SILENT }),
      loginTimeoutMs: 2000,
    }),
  };
}

function answerWith(host: FakeHost, verb: string, answer: CommandResult): void {
  const run = host.run.bind(host);
  host.run = async (command: Command, signal) => (command.args.includes(verb) ? answer : await run(command, signal));
}

describe('login()', () => {
  test.each([
    ['login-no-chap', 'LOGIN_AUTH_FAILED'],
    ['login-wrong-chap', 'LOGIN_AUTH_FAILED'],
    ['login-portal-refuses', 'PORTAL_UNREACHABLE'],
    ['login-driver-missing', 'TRANSPORT_UNAVAILABLE'],
    ['login-no-iscsid', 'INITIATOR_UNAVAILABLE'],
    ['login-no-record', 'DATABASE_FAILED'],
  ] as const)(
    'login() that ends as in answers/%s.json rejects with %s, and takes its record back',
    async (name, code) => {
      const { host, initiator } = open();
      const answer = capturedAnswer(name);
      answerWith(host, '--login', answer);
      const error: unknown = await initiator.login(path, TCP, undefined, SIGNAL).catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code,
        details: { exitCode: answer.exitCode, iface: 'default', portal: '10.99.1.1:3260', target },
      });
      expect(String((error as Error).cause)).toContain(answer.stderr.trim().split('\n').at(-1));
      expect(host.residue()).toEqual([]);
    },
  );

  test("login() that fails restores an administrator's record byte for byte", async () => {
    const { host, initiator } = open();
    const text = captured('nodes/with-chap/10.99.1.1,3260,1/default');
    host.tree.write(RECORD, text);
    answerWith(host, '--login', capturedAnswer('login-portal-refuses'));
    await expect(initiator.login(path, TCP, undefined, SIGNAL)).rejects.toMatchObject({ code: 'PORTAL_UNREACHABLE' });
    expect(host.tree.read(RECORD)).toBe(text);
  });

  test('login() that fails does not end a session that another program made meanwhile', async () => {
    const { host, initiator } = open();
    host.kernel.addSession({ target, portal: path.portal, iface: 'default', transport: 'iser' });
    await expect(initiator.login(path, TCP, undefined, SIGNAL)).rejects.toMatchObject({
      code: 'TRANSPORT_MISMATCH',
      message: expect.stringContaining('asks for tcp and the kernel runs it over iser') as unknown,
    });
    expect(host.kernel.sessions).toHaveLength(1);
  });

  test('login() that the kernel runs over another transport is TRANSPORT_MISMATCH and leaves nothing', async () => {
    const { host, initiator } = open();
    const run = host.run.bind(host);
    host.run = async (command: Command, signal) => {
      if (!command.args.includes('--login')) return await run(command, signal);
      host.kernel.addSession({ target, portal: path.portal, iface: 'iser', transport: 'tcp' });
      return { exitCode: 0, stdout: '', stderr: '' };
    };
    await expect(initiator.login(path, ISER, undefined, SIGNAL)).rejects.toMatchObject({ code: 'TRANSPORT_MISMATCH' });
    expect(host.residue()).toEqual([]);
  });

  test('login() that cannot be undone reports both reasons', async () => {
    const { host, initiator } = open();
    const run = host.run.bind(host);
    host.run = async (command: Command, signal) => {
      if (!command.args.includes('--login')) return await run(command, signal);
      host.kernel.addSession({ target, portal: path.portal, iface: 'default', transport: 'qedi' });
      return { exitCode: 0, stdout: '', stderr: '' };
    };
    answerWith(host, '--logout', { exitCode: 1, stdout: '', stderr: 'iscsiadm: no' });
    const error: unknown = await initiator.login(path, TCP, undefined, SIGNAL).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'CLEANUP_INCOMPLETE',
      cause: { errors: [{ code: 'TRANSPORT_MISMATCH' }, { code: 'LOGOUT_FAILED' }] },
    });
  });

  test('login() leaves a session over another iface to the same portal alone', async () => {
    const { host, initiator } = open();
    const other = host.kernel.addSession({ target, portal: path.portal, iface: 'eth1.bound', transport: 'tcp' });
    const { session } = await initiator.login(path, TCP, undefined, SIGNAL);
    await initiator.logout(session, SIGNAL);
    expect(host.kernel.sessions).toEqual([other]);
  });
});

describe('logout()', () => {
  test.each([[2], [21], [22], [32]])(
    'logout() takes exit status %d of iscsiadm for success when the session is gone',
    async (exitCode) => {
      const { host, initiator } = open();
      const { session } = await initiator.login(path, TCP, undefined, SIGNAL);
      host.kernel.removeSession(host.kernel.sessions[0] as never);
      answerWith(host, '--logout', { exitCode, stdout: '', stderr: '' });
      await initiator.logout(session, SIGNAL);
      expect(host.residue()).toEqual([]);
    },
  );

  test('logout() trusts no exit status while the kernel shows the session, and keeps the record', async () => {
    const { host, initiator } = open();
    const { session } = await initiator.login(path, TCP, undefined, SIGNAL);
    answerWith(host, '--logout', capturedAnswer('logout-no-session'));
    await expect(initiator.logout(session, SIGNAL)).rejects.toMatchObject({
      code: 'LOGOUT_FAILED',
      details: { exitCode: 21 },
    });
    expect(host.tree.read(RECORD)).toBeDefined();
  });
});

describe('sessions that iscsiadm would take for one', () => {
  const SECOND = { address: '10.99.2.1', port: 3260 };
  const add = (host: FakeHost, given: Partial<Parameters<FakeHost['kernel']['addSession']>[0]> = {}): FakeSession =>
    host.kernel.addSession({ target, portal: path.portal, iface: 'default', transport: 'tcp', ...given });
  const placed = async (initiator: OpenIscsiInitiator, ...ids: readonly number[]): Promise<NonEmpty<Session>> => {
    const [first, ...others] = (await initiator.sessions()).filter(({ id }) => ids.includes(id));
    if (first === undefined) throw new RangeError(ids.join(', '));
    return [first, ...others];
  };

  test.each<[string, Partial<FakeSession>]>([
    ['a second one to the portal', {}],
    ['one by a name that leads to the portal now', { portal: { address: 'storage', port: 3260 }, connectedTo: SECOND }],
    ['one in another spelling', { portal: { address: '10.99.257', port: 3260 } }],
  ])('logout() ends the given session, and not %s', async (_which, other) => {
    const { host, initiator } = open();
    host.names.set('storage', ['10.99.1.1']);
    const [mine, theirs] = [add(host), add(host, other)];
    await initiator.logout((await placed(initiator, mine.id))[0], SIGNAL);
    expect(host.kernel.sessions).toEqual([theirs]);
  });

  test.each<[string, Partial<FakeSession>]>([
    ['of a driver that is not known', { portal: { address: '10.99.9.9', port: 3260 }, transport: 'warp' }],
    ['at an address that is not understood', { portal: { address: 'no address', port: 3260 } }],
  ])('logoutAll() ends the given sessions, and not one %s', async (_which, other) => {
    const { host, initiator } = open();
    const mine = [add(host), add(host, { portal: SECOND })];
    const theirs = add(host, other);
    await initiator.logoutAll(await placed(initiator, ...mine.map(({ id }) => id)), SIGNAL);
    expect(host.kernel.sessions).toEqual([theirs]);
  });

  test("loginAll() logs in to the given portals, not by an administrator's record of another name", async () => {
    const { host, initiator } = open();
    host.targets.splice(
      0,
      1,
      new FakeTarget({
        iqn: target,
        portals: ['10.99.1.1', SECOND.address, '10.99.3.1'].map((address) => ({ address, port: 3260, serves: 'tcp' })),
      }),
    );
    host.names.set('storage', ['10.99.3.1']);
    const theirs = capturedRecord('nodes/new-style/10.99.1.1,3260,1/default', { target, address: 'storage' });
    host.tree.write(`/etc/iscsi/nodes/${target}/storage,3260,1/default`, theirs);
    const logins = await initiator.loginAll([path, { ...path, portal: SECOND }], TCP, undefined, SIGNAL);
    await Promise.all(
      logins.map(async ({ session, ended }) => {
        await session;
        await ended;
      }),
    );
    expect(host.kernel.sessions.map(({ portal: { address } }) => address).toSorted()).toEqual([
      '10.99.1.1',
      '10.99.2.1',
    ]);
  });
});

describe('mayEnd()', () => {
  test('mayEnd() says always to a session of our record', async () => {
    const { initiator } = open();
    const { session } = await initiator.login(path, TCP, undefined, SIGNAL);
    expect(await initiator.logoutPolicy(session)).toBe('always');
  });
  test.each([
    ['manual', 'after-removal'],
    ['automatic', 'never'],
    ['onboot', 'never'],
  ])("mayEnd() of an administrator's record with node.startup = %s says %s", async (startup, answer) => {
    const { host, initiator } = open();
    host.tree.write(
      RECORD,
      captured('nodes/new-style/10.99.1.1,3260,1/default').replace(
        /^node\.startup = .*$/m,
        `node.startup = ${startup}`,
      ),
    );
    expect(await initiator.logoutPolicy({ ...path, iface: TCP.name })).toBe(answer);
  });
});

test.each([loginCommand, logoutCommand])('%p carries -T, -p and -I and is never killed', (build) => {
  const { args, patience } = build(
    { target, portal: parsePortal('[2001:DB8::1]:3260'), iface: parseIfaceName('cxgb4i.00:07:43:12:34:56') },
    1000,
  );
  expect(args.slice(2, 8)).toEqual(['-T', target, '-p', '[2001:db8::1]:3260', '-I', 'cxgb4i.00:07:43:12:34:56']);
  expect(patience).toEqual({ kind: 'wait', ms: 1000 });
});

test.each([
  [12, 'TRANSPORT_UNAVAILABLE'],
  [14, 'TRANSPORT_UNAVAILABLE'],
  [23, 'TRANSPORT_UNAVAILABLE'],
  [24, 'LOGIN_AUTH_FAILED'],
  [19, 'LOGIN_REFUSED'],
  [5, 'LOGIN_REFUSED'],
  [8, 'PORTAL_UNREACHABLE'],
  [4, 'PORTAL_UNREACHABLE'],
  [11, 'PORTAL_UNREACHABLE'],
  [13, 'PERMISSION_DENIED'],
  [18, 'INITIATOR_UNAVAILABLE'],
  [20, 'INITIATOR_UNAVAILABLE'],
  [33, 'INITIATOR_UNAVAILABLE'],
  [6, 'DATABASE_FAILED'],
  [21, 'DATABASE_FAILED'],
  [7, 'COMMAND_FAILED'],
  [1, 'COMMAND_FAILED'],
  [255, 'COMMAND_FAILED'],
] as const)('loginFailure(%d) is %s', (exitCode, code) => {
  expect(loginFailure(exitCode).code).toBe(code);
});
