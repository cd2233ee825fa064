import { describe, expect, test } from '@jest/globals';
import { parsePortal } from '../../src/connection/portal.js';
import { TRANSPORTS } from '../../src/hardware/transport.js';
import { readAllSessions, readSessions } from '../../src/initiator/read-sessions.js';
import { isSessionOf } from '../../src/initiator/session.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { FakeHost } from '../fakes/fake-host.js';
import { captured } from './captured.js';

const target = 'iqn.2026-11.org.example:fixtures';
const portal = parsePortal('10.99.1.1:3260');
const open = (): FakeHost => new FakeHost({ clock: new FakeClock() });
const CONNECTION = '/sys/class/iscsi_connection/connection1:0';

function showSysfs({ tree }: FakeHost, files: Readonly<Record<string, string>>): void {
  const links = new Map(
    Object.entries(files)
      .filter(([, text]) => text.startsWith('-> '))
      .map(([path, text]) => [path, text.slice('-> '.length)]),
  );
  for (const [path, to] of links) {
    const parent = path.slice(0, path.lastIndexOf('/'));
    tree.symbolicLink(`${links.get(parent) ?? parent}${path.slice(parent.length)}`, to);
  }
  for (const [path, text] of Object.entries(files)) if (!links.has(path)) tree.write(path, text);
}

describe('readSessions()', () => {
  test.each([
    ['tcp', 'default', '10.99.1.1'],
    ['iser', 'iser', '10.98.0.1'],
  ])('readSessions() reads a session over %s as the kernel shows it', async (transport, iface, address) => {
    const host = open();
    showSysfs(host, JSON.parse(captured(`sysfs/${transport}.json`)) as Record<string, string>);
    expect(await readSessions(host)).toEqual([
      expect.objectContaining({ target, iface, transport, state: 'LOGGED_IN', portal: { address, port: 3260 } }),
    ]);
  });

  test.each(TRANSPORTS)('readSessions() reads the transport %s', async (transport) => {
    const host = open();
    host.kernel.addSession({ target, portal, iface: 'any', transport });
    expect((await readSessions(host)).map((session) => session.transport)).toEqual([transport]);
  });

  test('readSessions() gives an IPv6 portal in its one spelling', async () => {
    const host = open();
    host.kernel.addSession({
      target,
      portal: { address: '2001:0DB8:0:0::00A1', port: 3260 },
      iface: 'default',
      transport: 'tcp',
    });
    expect((await readSessions(host))[0]?.portal).toEqual(parsePortal('[2001:db8::a1]:3260'));
  });

  test('readSessions() gives the requested portal, not the one that a redirect led to', async () => {
    const host = open();
    host.kernel.addSession({ target, portal, iface: 'default', transport: 'tcp' });
    host.tree.write(`${CONNECTION}/address`, '10.99.4.1\n');
    host.tree.write(`${CONNECTION}/port`, '3299\n');
    expect((await readSessions(host))[0]?.portal).toEqual(portal);
  });

  test.each(['', '(null)\n', '<NULL>\n'])(
    'readSessions() reads address and port where the driver has %j as persistent_address',
    async (text) => {
      const host = open();
      host.kernel.addSession({ target, portal, iface: 'qedi.x', transport: 'qedi' });
      for (const key of ['persistent_address', 'persistent_port']) host.tree.write(`${CONNECTION}/${key}`, text);
      host.tree.write(`${CONNECTION}/address`, '10.99.4.1\n');
      host.tree.write(`${CONNECTION}/port`, '3260\n');
      expect((await readSessions(host))[0]?.portal).toEqual(parsePortal('10.99.4.1:3260'));
    },
  );

  test.each(['targetname', 'ifacename'])('readSessions() leaves out a session whose %s is gone', async (name) => {
    const host = open();
    host.kernel.addSession({ target, portal, iface: 'default', transport: 'tcp' });
    host.tree.remove(`/sys/devices/platform/host1/session1/iscsi_session/session1/${name}`);
    expect(await readSessions(host)).toEqual([]);
  });

  test("readSessions() leaves out a session of a driver that is not open-iscsi's", async () => {
    const host = open();
    host.kernel.addSession({ target, portal, iface: 'default', transport: 'warp' });
    expect(await readSessions(host)).toEqual([]);
  });
});

describe('readAllSessions()', () => {
  const place = { portal, iface: 'default', transport: 'tcp' };

  test('readAllSessions() keeps each odd session with the reason, and every other one as it is', async () => {
    const host = open();
    const sound = host.kernel.addSession({ ...place, target });
    host.kernel.addSession({ ...place, target: 'iqn.2010-10.org.example:a b' });
    host.kernel.addSession({ ...place, target, iface: 'my iface' });
    host.kernel.addSession({ ...place, target, transport: 'warp' });
    host.kernel.addSession({ ...place, target, portal: { address: 'not an address', port: 3260 } });
    const portless = host.kernel.addSession({ ...place, target });
    for (const key of ['persistent_port', 'port'])
      host.tree.remove(`/sys/class/iscsi_connection/connection${portless.id}:0/${key}`);
    const { sessions, foreign } = await readAllSessions(host);
    expect(sessions.map(({ id }) => id)).toEqual([sound.id]);
    expect(foreign).toEqual([
      {
        id: 2,
        target: 'iqn.2010-10.org.example:a b',
        iface: 'default',
        reason: expect.stringContaining('a blank') as unknown,
      },
      { id: 3, target, iface: 'my iface', reason: expect.stringContaining('"my iface" as an iface name') as unknown },
      { id: 4, target, iface: 'default', reason: "its driver warp is none of open-iscsi's transports" },
      { id: 5, target, iface: 'default', reason: expect.stringContaining('as a host name') as unknown },
      { id: 6, target, iface: 'default', reason: 'the kernel shows no address and port of it' },
    ]);
  });

  test.each<[string, string, object]>([
    [
      'where its connection is',
      'lost-not',
      {
        portal: { address: '2001:db8::9', port: 3261, recordedAs: { hostName: 'storage_1', port: 3260 } },
        recordedAddress: 'Storage_1.',
      },
    ],
    [
      'its name, while its connection is down',
      'lost',
      {
        portal: { address: 'storage_1', port: 3260, recordedAs: { hostName: 'storage_1', port: 3260 } },
        recordedAddress: 'Storage_1.',
      },
    ],
  ])('readAllSessions() gives a session that was made by name %s', async (_what, state, expected) => {
    const host = open();
    const session = host.kernel.addSession({
      ...place,
      target,
      portal: { address: 'Storage_1.', port: 3260 },
      connectedTo: { address: '2001:db8::9', port: 3261 },
    });
    if (state === 'lost') host.kernel.lose(session);
    expect((await readAllSessions(host)).sessions).toEqual([expect.objectContaining(expected)]);
  });
});

test('isSessionOf() distinguishes sessions to one portal by target and iface', async () => {
  const host = open();
  for (const [name, iface] of [
    [target, 'default'],
    [target, 'iser'],
    [`${target}-other`, 'default'],
  ] as const)
    host.kernel.addSession({ target: name, portal, iface, transport: 'tcp' });
  const sessions = await readSessions(host);
  for (const session of sessions) expect(sessions.filter((other) => isSessionOf(other, session))).toEqual([session]);
});
