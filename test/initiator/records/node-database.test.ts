import { describe, expect, test } from '@jest/globals';
import { SILENT } from '../../../src/base/logger.js';
import { Secret } from '../../../src/base/secret.js';
import { VolumeError } from '../../../src/base/volume-error.js';
import { parsePortal } from '../../../src/connection/portal.js';
import { parseTargetName } from '../../../src/connection/target-name.js';
import { BUILT_IN_IFACES, type Iface } from '../../../src/iface/iface.js';
import { parseIface } from '../../../src/iface/parse-iface.js';
import { parseRecord } from '../../../src/database/record-text.js';
import { NodeDatabase } from '../../../src/initiator/records/node-database.js';
import { OWNER_COMMENT } from '../../../src/database/record-text.js';
import { FakeClock } from '../../fakes/fake-clock.js';
import { fakeDatabase } from '../../fakes/fake-database.js';
import { FakeHost } from '../../fakes/fake-host.js';
import { captured } from '../captured.js';

const target = parseTargetName('iqn.2026-11.org.example:fixtures');
const CXGB4I = 'cxgb4i.00:07:43:12:34:56';
const NODES = `/etc/iscsi/nodes/${target}`;
const LOCK = '/run/lock/iscsi/lock.write';
const SIGNAL = new AbortController().signal;
const PLAIN = { loginTimeoutSeconds: 15, chap: undefined };
const CHAP = { loginTimeoutSeconds: 15, chap: { username: 'u', password: new Secret('hush-hush') } };

function builtIn(name: string): Iface {
  const found = BUILT_IN_IFACES.find((iface) => iface.name === name);
  if (found === undefined) throw new RangeError(name);
  return found;
}

function open(): { readonly host: FakeHost; readonly database: NodeDatabase } {
  const clock = new FakeClock();
  const host = new FakeHost({ clock });
  host.tree.write('/etc/iscsi/iscsid.conf', captured('iscsid.conf'));
  return {
    host,
    database: new NodeDatabase({
      files: host,
      logger: SILENT,
      stateDirectory: '/var/lib/libvirt-volume',
      database: fakeDatabase(host),
    }),
  };
}

const key = (portal: string, iface = builtIn('default')): Parameters<NodeDatabase['put']>[0] => ({
  target,
  portal: parsePortal(portal),
  iface,
});
const nameOf = (portal: string, iface = 'default'): Parameters<NodeDatabase['records']['find']>[0] => ({
  target,
  portal: parsePortal(portal),
  iface: builtIn(iface).name,
});

describe('put() makes', () => {
  test.each<[string, string, string]>([
    ['10.99.1.1:3260,1', 'default', 'nodes/new-style/10.99.1.1,3260,1/default'],
    ['10.99.1.1:3260,1', 'iser', 'nodes/new-style/10.99.1.1,3260,1/iser'],
    ['[2001:DB8:0::1]:3260,1', 'default', 'nodes/new-style/2001:db8::1,3260,1/default'],
    ['10.99.1.1:3260,1', CXGB4I, `nodes/new-style/10.99.1.1,3260,1/${CXGB4I}`],
  ])('put() for %s over %s makes what open-iscsi makes, but for our settings', async (portal, iface, file) => {
    const { host, database } = open();
    const chosen = iface === CXGB4I ? parseIface(CXGB4I, captured(`ifaces/${CXGB4I}`)) : builtIn(iface);
    await database.put(key(portal, chosen), PLAIN, SIGNAL);
    const path = file.replace('nodes/new-style', NODES);
    const [ours, theirs] = [parseRecord(host.tree.read(path) ?? ''), parseRecord(captured(file))];
    const different = [...ours].filter(([name, value]) => theirs.get(name) !== value);
    expect(Object.fromEntries(different)).toEqual({
      'node.session.scan': 'manual',
      'node.session.initial_login_retry_max': '1',
    });
  });

  test('put() makes a record under tag 1 where none is given', async () => {
    const { host, database } = open();
    expect(await database.put(key('192.0.2.1'), PLAIN, SIGNAL)).toEqual({
      kind: 'created',
      path: `${NODES}/192.0.2.1,3260,1/default`,
    });
    expect(host.tree.read(`${NODES}/192.0.2.1,3260,1/default`)).toContain(`# ${OWNER_COMMENT}\n`);
  });

  test('put() makes a record beside that of another iface, in the existing folder', async () => {
    const { host, database } = open();
    const other = captured('nodes/new-style/10.99.1.1,3260,1/iser');
    host.tree.write(`${NODES}/10.99.1.1,3260,7/iser`, other);
    expect(await database.put(key('10.99.1.1:3260'), PLAIN, SIGNAL)).toMatchObject({
      path: `${NODES}/10.99.1.1,3260,7/default`,
    });
    expect(host.tree.read(`${NODES}/10.99.1.1,3260,7/iser`)).toBe(other);
  });

  test('put() makes one session even where iscsid.conf requests several', async () => {
    const { host, database } = open();
    host.tree.write(
      '/etc/iscsi/iscsid.conf',
      captured('iscsid.conf').replace('node.session.nr_sessions = 1', 'node.session.nr_sessions = 4'),
    );
    await database.put(key('192.0.2.1'), PLAIN, SIGNAL);
    expect(host.tree.read(`${NODES}/192.0.2.1,3260,1/default`)).toContain('node.session.nr_sessions = 1\n');
  });
});

describe('put() changes', () => {
  test.each<[string, string, string]>([
    ['of the new style', '10.99.1.1:3260,1', 'nodes/new-style/10.99.1.1,3260,1/default'],
    ['of the old style', '10.99.2.1:3260', 'nodes/without-tag/10.99.2.1,3260'],
    ['with an IPv6 address', '[2001:db8::1]:3260', 'nodes/with-chap/2001:db8::1,3260,1/default'],
  ])("put() changes an administrator's record %s, and undo() restores each byte", async (_name, portal, file) => {
    const { host, database } = open();
    const path = `${NODES}/${file.split('/').slice(2).join('/')}`;
    host.tree.write(path, captured(file));
    const change = await database.put(key(portal), CHAP, SIGNAL);
    expect(change).toMatchObject({ kind: 'changed', path });
    for (const line of ['node.session.auth.password = hush-hush', 'node.session.scan = manual'])
      expect(host.tree.read(path)).toContain(`${line}\n`);
    expect(host.tree.read(path)).not.toContain(OWNER_COMMENT);
    await database.undo(change, SIGNAL);
    expect(host.tree.read(path)).toBe(captured(file));
  });

  test('put() changes nothing the second time', async () => {
    const { database } = open();
    await database.put(key('192.0.2.1'), CHAP, SIGNAL);
    expect(await database.put(key('192.0.2.1'), CHAP, SIGNAL)).toEqual({ kind: 'unchanged' });
  });

  test('put() removes the CHAP of an earlier connection', async () => {
    const { host, database } = open();
    await database.put(key('192.0.2.1'), CHAP, SIGNAL);
    await database.put(key('192.0.2.1'), PLAIN, SIGNAL);
    const text = host.tree.read(`${NODES}/192.0.2.1,3260,1/default`);
    expect(text).toContain('node.session.auth.authmethod = None\n');
    expect(text).not.toMatch(/hush|auth\.username|auth\.password/);
  });
});

describe('removeOurs()', () => {
  test('removeOurs() removes our record and its empty folders', async () => {
    const { host, database } = open();
    await database.put(key('192.0.2.1'), PLAIN, SIGNAL);
    expect(await database.removeOurs(nameOf('192.0.2.1'), SIGNAL)).toBe(1);
    expect(host.residue()).toEqual([]);
  });
  test("removeOurs() keeps an administrator's record", async () => {
    const { host, database } = open();
    host.tree.write(`${NODES}/10.99.2.1,3260`, captured('nodes/without-tag/10.99.2.1,3260'));
    expect(await database.removeOurs(nameOf('10.99.2.1'), SIGNAL)).toBe(0);
    expect(host.residue()).toHaveLength(1);
  });
  test('removeOurs() keeps our record of another iface and of another port', async () => {
    const { host, database } = open();
    for (const other of [key('192.0.2.1', builtIn('iser')), key('192.0.2.1:3261')])
      await database.put(other, PLAIN, SIGNAL);
    const before = host.residue();
    expect(await database.removeOurs(nameOf('192.0.2.1'), SIGNAL)).toBe(0);
    expect(host.residue()).toEqual(before);
  });
  test('removeOurs() takes no lock when there is nothing to remove', async () => {
    const { host, database } = open();
    host.tree.write(LOCK, '');
    expect(await database.removeOurs(nameOf('192.0.2.1'), SIGNAL)).toBe(0);
  });
});

describe('find()', () => {
  test('find() distinguishes old-style records of two ifaces', async () => {
    const { host, database } = open();
    host.tree.write(`${NODES}/10.99.2.1,3260`, captured('nodes/without-tag/10.99.2.1,3260'));
    expect(await database.records.find(nameOf('10.99.2.1', 'iser'))).toEqual([]);
    expect(await database.records.find(nameOf('10.99.2.1'))).toHaveLength(1);
  });
  test('find() distinguishes port 32601 from port 3260', async () => {
    const { database } = open();
    await database.put(key('192.0.2.1:32601'), PLAIN, SIGNAL);
    expect(await database.records.find(nameOf('192.0.2.1:3260'))).toEqual([]);
  });
});

describe('the database lock', () => {
  test('put() is DATABASE_LOCKED while the lock is held, names its file and touches nothing', async () => {
    const { host, database } = open();
    host.tree.write(LOCK, '');
    await expect(database.put(key('192.0.2.1'), PLAIN, SIGNAL)).rejects.toMatchObject({
      code: 'DATABASE_LOCKED',
      message: expect.stringContaining(LOCK) as unknown,
      hint: expect.stringContaining(`rm ${LOCK}`) as unknown,
    });
    expect(host.residue()).toEqual([LOCK]);
  });
  test('put() releases the database lock after an error', async () => {
    const { host, database } = open();
    const refuse = (): Promise<never> =>
      Promise.reject(new VolumeError('PERMISSION_DENIED', 'Cannot use the file: the file system is read-only'));
    host.replace = refuse;
    host.rename = refuse;
    await expect(database.put(key('192.0.2.1'), PLAIN, SIGNAL)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(host.residue().filter((path) => path.includes('lock'))).toEqual([]);
  });
  test('put() waits for a database lock that is released meanwhile', async () => {
    const { host, database } = open();
    host.tree.write(LOCK, '');
    setImmediate(() => {
      host.tree.remove(LOCK);
    });
    expect(await database.put(key('192.0.2.1'), PLAIN, SIGNAL)).toMatchObject({ kind: 'created' });
  });
  test('put() ends its wait for the database lock when the caller gives up', async () => {
    const { host, database } = open();
    host.tree.write(LOCK, '');
    await expect(database.put(key('192.0.2.1'), PLAIN, AbortSignal.abort())).rejects.toMatchObject({ code: 'ABORTED' });
  });
});

test("put() changes only its own keys of an administrator's record, and undo() restores each byte", async () => {
  const { host, database } = open();
  const path = `${NODES}/192.0.2.1,3260,1/default`;
  const theirs =
    '# by hand, caf\udce9\r\n[node]\nwhat is this\nnode.name = ' +
    'iqn.a\niface.iscsi_ifacename\t=\tdefault\nnode.future = 1\nnode.session.scan = ' +
    'auto\nnode.session.auth.password hush-hush\nnode.tpgt = 1';
  host.tree.write(path, theirs);
  const change = await database.put(key('192.0.2.1'), PLAIN, SIGNAL);
  const during = host.tree.read(path) ?? '';
  expect(theirs.split('\n').filter((line) => !during.includes(line))).toEqual(['node.session.scan = auto']);
  expect(parseRecord(during).get('node.session.scan')).toBe('manual');
  await database.undo(change, SIGNAL);
  expect(host.tree.read(path)).toBe(theirs);
});

describe('the defaults of iscsid.conf', () => {
  const made = async (configuration: string): Promise<ReadonlyMap<string, string>> => {
    const { host, database } = open();
    host.tree.write('/etc/iscsi/iscsid.conf', configuration);
    await database.put(key('192.0.2.1'), PLAIN, SIGNAL);
    return parseRecord(host.tree.read(`${NODES}/192.0.2.1,3260,1/default`) ?? '');
  };
  test('put() copies defaults of iscsid.conf as open-iscsi does: an odd line affects only itself', async () => {
    const record = await made(
      '[node]\nwhat is this\n; comment\nnode.session.queue_depth = 7 # ' +
        'seven\nnode.session.cmds_max=64\nnode.session.iscsi.ImmediateData = maybe\nnode.session.reopen_max = 3',
    );
    expect(
      ['queue_depth', 'cmds_max', 'iscsi.ImmediateData', 'reopen_max'].map((name) =>
        record.get(`node.session.${name}`),
      ),
    ).toEqual(['7', undefined, undefined, undefined]);
  });
  test('put() copies no default that names another target or hides records from iscsiadm', async () => {
    const record = await made(
      'node.name = iqn.other\nnode.tpgt = 7\nnode.conn[0].address = 203.0.113.9\nnode.discovery_type = ' +
        'fw\nnode.session.typo = 1\nnode.session.queue_depth = 7\n',
    );
    expect(Object.fromEntries(record)).toMatchObject({
      'node.name': nameOf('192.0.2.1').target,
      'node.tpgt': '1',
      'node.conn[0].address': '192.0.2.1',
      'node.discovery_type': 'static',
      'node.session.queue_depth': '7',
    });
    expect(record.has('node.session.typo')).toBe(false);
  });
});
