import { describe, expect, test } from '@jest/globals';
import { type Logger, SILENT } from '../../src/base/logger.js';
import { Secret } from '../../src/base/secret.js';
import { parsePortal } from '../../src/connection/portal.js';
import { parseTargetName } from '../../src/connection/target-name.js';
import { printable } from '../../src/host/command.js';
import { BUILT_IN_IFACES, type Iface } from '../../src/iface/iface.js';
import { OWNER_COMMENT, parseRecord } from '../../src/database/record-text.js';
import { ChapByArgument } from '../../src/initiator/records/chap-by-argument.js';
import { NodeDatabase } from '../../src/initiator/records/node-database.js';
import type { NodeSettings } from '../../src/initiator/records/node-record.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { fakeDatabase } from '../fakes/fake-database.js';
import { FakeHost } from '../fakes/fake-host.js';
import { FakeTarget } from '../fakes/fake-target.js';
import { openFakeWorld } from '../fakes/fake-world.js';
import { captured, capturedRecord } from './captured.js';

const target = parseTargetName('iqn.2026-11.org.example:chap');
const [TCP] = BUILT_IN_IFACES as readonly [Iface, Iface];
const KEY = { target, portal: parsePortal('10.99.1.1:3260'), iface: TCP };
const PATH = `/etc/iscsi/nodes/${target}/10.99.1.1,3260,1/default`;
const SIGNAL = new AbortController().signal;
const NONE: NodeSettings = { loginTimeoutSeconds: 15, chap: undefined };
const chap = (password: string): NodeSettings => ({
  loginTimeoutSeconds: 15,
  chap: { username: 'volumes', password: new Secret(password) },
});

interface World {
  readonly host: FakeHost;
  readonly database: NodeDatabase;
  readonly warnings: readonly string[];
  /** The auth lines of the record. */
  readonly auth: () => Readonly<Record<string, string>>;
}

function open({
  byArgument = false,
  iscsid = '',
}: { readonly byArgument?: boolean; readonly iscsid?: string } = {}): World {
  const clock = new FakeClock();
  const host = new FakeHost({ clock });
  const warnings: string[] = [];
  const logger: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: (message) => {
      warnings.push(message);
    },
  };
  host.tree.write('/etc/iscsi/iscsid.conf', iscsid);
  const chapByArgument = byArgument ? new ChapByArgument({ commands: host, logger }) : undefined;
  const auth = (): Readonly<Record<string, string>> => {
    const prefix = 'node.session.auth.';
    return Object.fromEntries(
      [...parseRecord(host.tree.read(PATH) ?? '')].flatMap(([name, value]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
      ),
    );
  };
  return {
    host,
    database: new NodeDatabase({
      files: host,
      logger: SILENT,
      stateDirectory: '/var/lib/libvirt-volume',
      database: fakeDatabase(host),
      chapByArgument,
    }),
    warnings,
    auth,
  };
}

const MUTUAL = 'node.session.auth.username_in = array\nnode.session.auth.password_in = the-array-itself\n';

describe('CHAP in a record file', () => {
  test("record file's CHAP secret is replaced when it has changed", async () => {
    const { database, auth } = open();
    await database.put(KEY, chap('first-secret'), SIGNAL);
    expect(await database.put(KEY, chap('second-secret'), SIGNAL)).toMatchObject({ kind: 'changed' });
    expect(auth()).toEqual({ authmethod: 'CHAP', username: 'volumes', password: 'second-secret' });
  });

  test("record file's CHAP settings go where the next connection has none, those of iscsid.conf too", async () => {
    const { database, auth } = open({
      iscsid: `node.session.auth.username = host\nnode.session.auth.password = of-the-host\n${MUTUAL}`,
    });
    await database.put(KEY, chap('first-secret'), SIGNAL);
    await database.put(KEY, NONE, SIGNAL);
    expect(auth()).toEqual({ authmethod: 'None' });
  });

  test('record file has mutual CHAP where iscsid.conf demands it of targets', async () => {
    const { database, auth } = open({ iscsid: MUTUAL });
    await database.put(KEY, chap('first-secret'), SIGNAL);
    expect(auth()).toEqual({
      authmethod: 'CHAP',
      username: 'volumes',
      password: 'first-secret',
      username_in: 'array',
      password_in: 'the-array-itself',
    });
  });

  test('record file follows iscsid.conf when its demand for mutual CHAP changes', async () => {
    const { database, host, auth } = open();
    await database.put(KEY, chap('first-secret'), SIGNAL);
    host.tree.write('/etc/iscsi/iscsid.conf', MUTUAL);
    await database.put(KEY, chap('first-secret'), SIGNAL);
    expect(auth()).toMatchObject({ username_in: 'array', password_in: 'the-array-itself' });
    host.tree.write('/etc/iscsi/iscsid.conf', '');
    await database.put(KEY, chap('first-secret'), SIGNAL);
    expect(auth()).toEqual({ authmethod: 'CHAP', username: 'volumes', password: 'first-secret' });
  });

  test('record file of an administrator keeps its demand for mutual CHAP', async () => {
    const { database, host, auth } = open();
    host.tree.write(PATH, `${captured('nodes/with-chap/10.99.1.1,3260,1/default')}${MUTUAL}`);
    await database.put(KEY, chap('first-secret'), SIGNAL);
    expect(auth()).toMatchObject({ password: 'first-secret', username_in: 'array', password_in: 'the-array-itself' });
  });

  test('record file offers the CHAP digests of iscsid.conf', async () => {
    const { database, auth } = open({ iscsid: 'node.session.auth.chap_algs = SHA3-256,SHA256\n' });
    await database.put(KEY, chap('first-secret'), SIGNAL);
    expect(auth()).toMatchObject({ chap_algs: 'SHA3-256,SHA256' });
  });
});

describe('CHAP by argument', () => {
  test('CHAP by argument writes a record without the secret, gives it to iscsiadm, and warns', async () => {
    const { database, host, warnings, auth } = open({ byArgument: true });
    const run = host.run.bind(host);
    let before = '';
    host.run = async (command, signal) => {
      before = host.tree.read(PATH) ?? '';
      return await run(command, signal);
    };
    expect(await database.put(KEY, chap('first-secret'), SIGNAL)).toEqual({ kind: 'created', path: PATH });
    expect(before).toContain('node.session.auth.username = volumes\n');
    expect(before).not.toContain('first-secret');
    expect(host.commands.map(printable)).toEqual([
      `iscsiadm -m node -T ${target} -p 10.99.1.1:3260 -I default -o update -n node.session.auth.password -v ***`,
    ]);
    expect(auth()).toEqual({ authmethod: 'CHAP', username: 'volumes', password: 'first-secret' });
    expect(host.tree.read(PATH)).toContain(`# ${OWNER_COMMENT}\n`);
    expect(warnings).toEqual([
      'A CHAP secret goes into the arguments of iscsiadm, where every user of ' +
        'this host can read it: chap_secrets = "argv"',
    ]);
  });

  test('CHAP by argument runs nothing for a secret in the record, and warns again for another', async () => {
    const { database, host, warnings, auth } = open({ byArgument: true });
    await database.put(KEY, chap('first-secret'), SIGNAL);
    expect(await database.put(KEY, chap('first-secret'), SIGNAL)).toEqual({ kind: 'unchanged' });
    expect(warnings).toHaveLength(1);
    await database.put(KEY, chap('second-secret'), SIGNAL);
    expect(auth()).toMatchObject({ password: 'second-secret' });
    expect(warnings).toHaveLength(2);
    expect(host.commands).toHaveLength(2);
  });

  test('CHAP by argument runs nothing for a connection without CHAP', async () => {
    const { database, host, warnings } = open({ byArgument: true });
    await database.put(KEY, NONE, SIGNAL);
    expect({ commands: host.commands, warnings }).toEqual({ commands: [], warnings: [] });
  });

  test('CHAP by argument that iscsiadm refuses leaves no record, and shows no secret', async () => {
    const { database, host } = open({ byArgument: true });
    host.run = async () => ({ exitCode: 7, stdout: '', stderr: 'iscsiadm: Could not set parameter\n' });
    await expect(database.put(KEY, chap('first-secret'), SIGNAL)).rejects.toMatchObject({
      code: 'COMMAND_FAILED',
      message:
        `Cannot give open-iscsi the CHAP secret for ${target} at 10.99.1.1:3260 over the iface default: ` +
        'invalid parameter',
      details: { exitCode: 7 },
      cause: new Error('iscsiadm: Could not set parameter'),
    });
    expect(host.residue()).toEqual([]);
  });

  test("CHAP by argument keeps an administrator's record, and undo() restores it byte for byte", async () => {
    const { database, host } = open({ byArgument: true });
    const text = capturedRecord('nodes/with-chap/10.99.1.1,3260,1/default', { target, address: KEY.portal.address });
    host.tree.write(PATH, text);
    const change = await database.put(KEY, chap('first-secret'), SIGNAL);
    expect(host.tree.read(PATH)).not.toContain(OWNER_COMMENT);
    await database.undo(change, SIGNAL);
    expect(host.tree.read(PATH)).toBe(text);
  });

  test('CHAP by argument is used under chap_secrets = "argv", and disconnect() leaves nothing', async () => {
    const world = openFakeWorld({ chap_secrets: 'argv' });
    const served = new FakeTarget({
      iqn: target,
      portals: [{ address: '192.0.2.10', port: 3260, serves: 'tcp' }],
      chap: { username: 'volumes', password: 'first-secret' },
    });
    served.units.set(1, { wwid: `naa.6001405${'7'.repeat(25)}`, sizeBytes: 2 ** 30 });
    world.host.targets.push(served);
    const info = {
      driver_volume_type: 'iscsi',
      data: {
        target_portal: '192.0.2.10',
        target_iqn: target,
        target_lun: 1,
        volume_id: 'v',
        auth_method: 'CHAP',
        auth_username: 'volumes',
        auth_password: 'first-secret',
      },
    };
    await world.driver.connect(info);
    const [update, ...others] = world.host.commands.filter(({ args }) => args.includes('update'));
    expect(others).toEqual([]);
    expect(update?.args.at(-1)).toBeInstanceOf(Secret);
    await world.driver.disconnect(info);
    expect(world.host.residue()).toEqual([]);
  });
});
