// releases: none
// takes: 50 s
// limit: 900 s
import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type Answer, tryRun } from '../machine/commands.js';
import { ifacesFolder, nodesFolder, sendTargetsFolder } from '../machine/database-root.js';
import { demandDiscoveryAuth } from '../machine/discovery-auth.js';
import { ISER_ADDRESS, LioTarget } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { faultyPortal } from '../machine/portal-faults.js';
import { after, test } from '../machine/scenario.js';
import { startMultipathd, stopMultipathd } from '../machine/services.js';
import { waitFor } from '../machine/wait-for.js';

/**
 * Writes down what open-iscsi and the kernel really write and say, for test/fixtures/open-iscsi/: record files, iface
 * files, what iscsiadm prints and its exit status, a session's files in sysfs. Left in $LAB_OUT/fixtures.
 */
const OUT = join(process.env['LAB_OUT'] ?? '/out', 'fixtures');
const IQN = 'iqn.2026-11.org.example:fixtures';
const NODES = nodesFolder();
const IFACES = ifacesFolder();
const SEND_TARGETS = sendTargetsFolder();
/** Otherwise a failing login takes two minutes. */
const BOUNDED = { 'node.conn[0].timeo.login_timeout': '2', 'node.session.initial_login_retry_max': '1' };
const cleanUps: (() => Promise<void> | void)[] = [];

after(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
});

const node = (portal: string, iface: string | undefined, ...verb: readonly string[]): Promise<Answer> =>
  tryRun('iscsiadm', ['-m', 'node', '-T', IQN, '-p', portal, ...(iface === undefined ? [] : ['-I', iface]), ...verb]);

test('iscsiadm and its package: version, defaults and ifaces', async () => {
  save('version.txt', (await tryRun('iscsiadm', ['--version'])).stdout);
  copy('/etc/iscsi/iscsid.conf', 'iscsid.conf');
  copy(`${IFACES}/iface.example`, 'ifaces/iface.example');
  save('iface-list.txt', (await tryRun('iscsiadm', ['-m', 'iface'])).stdout);
});

test('host files that the doctor reads', async () => {
  save('host/iscsid-version.txt', (await tryRun('iscsid', ['--version'])).stdout);
  for (const file of ['/etc/iscsi/initiatorname.iscsi', '/etc/os-release', '/proc/self/mountinfo', '/proc/net/unix'])
    save(`host/${file.slice(file.lastIndexOf('/') + 1)}`, readFileSync(file, 'utf8'));
  const [pid = ''] = (await tryRun('pidof', ['iscsid'])).stdout.trim().split(' ');
  save('host/stat-of-iscsid', readFileSync(`/proc/${pid}/stat`, 'utf8'));
  await startMultipathd();
  save('host/multipathd-show-config-local.txt', (await tryRun('multipathd', ['show', 'config', 'local'])).stdout);
  await stopMultipathd();
});

test('iface records', async () => {
  const records: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    plain: {},
    'eth1.bound': { net_ifacename: 'portals' },
    'cxgb4i.00:07:43:12:34:56': { transport_name: 'cxgb4i', hwaddress: '00:07:43:12:34:56', ipaddress: '10.99.1.7' },
    'qedi.six': { transport_name: 'qedi', hwaddress: '00:0E:1E:AA:BB:CC', ipaddress: '2001:DB8:0:0::7' },
    'unheard-of': { transport_name: 'warp' },
  };
  for (const [name, values] of Object.entries(records)) {
    await iface(name, '-o', 'new');
    cleanUps.push(async () => {
      await iface(name, '-o', 'delete');
      rmSync(`${IFACES}/${name}`, { force: true });
    });
    for (const [key, value] of Object.entries(values))
      await iface(name, '-o', 'update', '-n', `iface.${key}`, '-v', value);
    copy(`${IFACES}/${name}`, `ifaces/${name}`);
  }
  save('iface-show.txt', (await tryRun('iscsiadm', ['-m', 'iface', '-I', 'cxgb4i.00:07:43:12:34:56'])).stdout);
});

test('node records of both styles', async () => {
  for (const [folder, portal, name] of [
    ['new-style', '10.99.1.1:3260,1', 'default'],
    ['new-style', '[2001:db8::1]:3260,1', 'default'],
    ['new-style', '10.99.1.1:3260,1', 'iser'],
    ['new-style', '10.99.1.1:3260,1', 'cxgb4i.00:07:43:12:34:56'],
    ['without-tag', '10.99.2.1:3260', 'default'],
    ['without-iface', '10.99.3.1:3260', undefined],
  ] as const) {
    report(`new-${folder}-${name ?? 'none'}`, await node(portal, name, '-o', 'new'));
    collect(folder);
    if (folder === 'new-style' && name === 'default') {
      await node(portal, name, '-o', 'update', '-n', 'node.session.auth.authmethod', '-v', 'CHAP');
      await node(portal, name, '-o', 'update', '-n', 'node.session.auth.username', '-v', 'a user');
      await node(portal, name, '-o', 'update', '-n', 'node.session.auth.password', '-v', 'twelve chars#=');
      collect('with-chap');
      save(
        `with-chap-show-${portal.startsWith('[') ? 'ipv6' : 'ipv4'}.txt`,
        (await node(portal, name, '-S', '-o', 'show')).stdout,
      );
    }
    await node(portal, name, '-o', 'delete');
  }
  await tryRun('iscsiadm', ['-m', 'node', '-T', IQN, '-o', 'delete']);
});

test('iscsiadm output of logins that fail', async () => {
  const volume = await LioVolume.create({ name: 'fixtures' });
  cleanUps.push(() => volume.remove());
  const target = new LioTarget({
    iqn: IQN,
    luns: { 1: volume },
    portals: [{ address: '10.99.1.1' }, { address: ISER_ADDRESS, iser: true }],
    chap: { username: 'right', password: 'rightrightright' },
  });
  cleanUps.push(() => {
    target.remove();
  });
  report('login-no-record', await node('10.99.1.1:3260', 'default', '--login'));
  report('logout-no-session', await node('10.99.1.1:3260', 'default', '--logout'));
  await attempt('login-no-chap', '10.99.1.1:3260,1', 'default', {});
  await attempt('login-wrong-chap', '10.99.1.1:3260,1', 'default', {
    'node.session.auth.authmethod': 'CHAP',
    'node.session.auth.username': 'wrong',
    'node.session.auth.password': 'wrongwrongwrong',
  });
  await attempt('login-portal-refuses', '10.99.2.1:3260,1', 'default', BOUNDED);
  await attempt('login-driver-missing', '10.99.1.1:3260,1', 'cxgb4i.00:07:43:12:34:56', BOUNDED);
  await tryRun('pkill', ['-KILL', '-x', 'iscsid']); // on SIGTERM, iscsid -f ends its whole process group
  rmSync('/run/iscsid.pid', { force: true });
  await attempt('login-no-iscsid', '10.99.1.1:3260,1', 'default', {});
  await tryRun('sh', ['-c', 'setsid iscsid -f > /dev/null 2>&1 &']);
  await waitFor('iscsid', async () => (await tryRun('pidof', ['iscsid'])).code === 0);
  const right = {
    'node.session.auth.authmethod': 'CHAP',
    'node.session.auth.username': 'right',
    'node.session.auth.password': 'rightrightright',
  };
  for (const [portal, name, label] of [
    ['10.99.1.1:3260,1', 'default', 'tcp'],
    [`${ISER_ADDRESS}:3260,1`, 'iser', 'iser'],
  ] as const) {
    await node(portal, name, '-o', 'new');
    for (const [key, value] of Object.entries(right)) await node(portal, name, '-o', 'update', '-n', key, '-v', value);
    report(`login-${label}`, await node(portal, name, '--login'));
    report(`login-${label}-again`, await node(portal, name, '--login'));
    await tryRun('udevadm', ['settle']);
    save(`sysfs/${label}.json`, `${JSON.stringify(sessionInSysfs(), undefined, 1)}\n`);
    report(`logout-${label}`, await node(portal, name, '--logout'));
    await node(portal, name, '-o', 'delete');
  }
  target.remove();
  cleanUps.pop();
  const open = new LioTarget({ iqn: `${IQN}-other`, luns: { 1: volume }, portals: [{ address: '10.99.1.1' }] });
  await attempt('login-unknown-target', '10.99.1.1:3260,1', 'default', BOUNDED);
  open.remove();
});

test('iscsiadm output of discoveries, those that fail too', async () => {
  const volume = await LioVolume.create({ name: 'fixtures-two' });
  cleanUps.push(() => volume.remove());
  const hidden = new LioTarget({
    iqn: `${IQN}-0`,
    luns: {},
    portals: [{ address: '10.99.1.1' }],
    initiators: ['iqn.2026-11.org.example:nobody'],
  });
  writeFileSync(`/sys/kernel/config/target/iscsi/${hidden.iqn}/tpgt_1/attrib/demo_mode_discovery`, '0');
  report('discovery-no-target', await discover('10.99.1.1', 'default'));
  hidden.remove();
  const [first, second] = [
    new LioTarget({
      iqn: `${IQN}-1`,
      luns: {},
      portals: [{ address: '10.99.1.1' }, { address: '10.99.2.1' }, { address: ISER_ADDRESS, iser: true }],
    }),
    new LioTarget({ iqn: `${IQN}-2`, luns: { 1: volume }, portals: [{ address: '10.99.1.1' }], tag: 3 }),
  ];
  cleanUps.push(() => {
    for (const target of [first, second]) target.remove();
  });
  report('discovery-tcp', await discover('10.99.1.1', 'default'));
  report('discovery-iser', await discover(ISER_ADDRESS, 'iser'));
  report('discovery-iser-over-tcp', await discover(ISER_ADDRESS, 'default'));
  report('discovery-refused', await discover('10.99.3.1', 'default'));
  const silence = await faultyPortal('10.99.3.1', 'drop');
  report('discovery-silent', await discover('10.99.3.1', 'default'));
  await silence[Symbol.asyncDispose]();
  report('discovery-driver-missing', await discover('10.99.1.1', 'cxgb4i.00:07:43:12:34:56'));
  report('discovery-unknown-iface', await discover('10.99.1.1', 'no-such-iface'));
  const finder = { username: 'finder', password: 'finderfinderf' };
  const demand = demandDiscoveryAuth(finder);
  cleanUps.push(() => {
    demand[Symbol.dispose]();
  });
  report('discovery-no-chap', await discover('10.99.1.1', 'default'));
  report('discovery-wrong-chap', await discover('10.99.1.1', 'default', { ...finder, password: 'wrongwrongwrong' }));
  report('discovery-chap', await discover('10.99.1.1', 'default', finder));
  report('discovery-chap-iser', await discover(ISER_ADDRESS, 'iser', finder));
  await cleanUps.pop()?.();
  const everywhere = new LioTarget({ iqn: `${IQN}-3`, luns: {}, portals: [{ address: '0.0.0.0', port: 3261 }] });
  cleanUps.push(() => {
    everywhere.remove();
  });
  report('discovery-any-ipv4', await discover('10.99.1.1', 'default', undefined, 3261));
  await tryRun('ip', ['-6', 'address', 'add', 'fd00:99::1/64', 'dev', 'portals', 'nodad']);
  cleanUps.push(async () => {
    await tryRun('ip', ['-6', 'address', 'del', 'fd00:99::1/64', 'dev', 'portals']);
  });
  const six = new LioTarget({
    iqn: `${IQN}-4`,
    luns: {},
    portals: [
      { address: 'fd00:99::1', port: 3262 },
      { address: '::', port: 3263 },
    ],
  });
  cleanUps.push(() => {
    six.remove();
  });
  report('discovery-ipv6', await discover('fd00:99::1', 'default', undefined, 3262));
  report('discovery-any-ipv6', await discover('fd00:99::1', 'default', undefined, 3263));
  await tryRun('pkill', ['-KILL', '-x', 'iscsid']);
  rmSync('/run/iscsid.pid', { force: true });
  report('discovery-no-iscsid', await discover('10.99.1.1', 'default'));
  await tryRun('sh', ['-c', 'setsid iscsid -f > /dev/null 2>&1 &']);
  await waitFor('iscsid', async () => (await tryRun('pidof', ['iscsid'])).code === 0);
});

test('database lock that a killed iscsiadm leaves', async () => {
  writeFileSync('/run/lock/iscsi/lock.write', '');
  try {
    report('record-locked', await node('10.99.1.1:3260,1', 'default', '-o', 'new'));
  } finally {
    rmSync('/run/lock/iscsi/lock.write', { force: true });
  }
  await node('10.99.1.1:3260,1', 'default', '-o', 'delete');
  assert.equal(existsSync(`${NODES}/${IQN}`), false);
});

function iface(name: string, ...words: readonly string[]): Promise<Answer> {
  return tryRun('iscsiadm', ['-m', 'iface', '-I', name, ...words]);
}

/** With a discovery record of its own, whose folder has a name that nobody else gives one. */
async function discover(
  address: string,
  name: string,
  chap?: { readonly username: string; readonly password: string },
  port = 3260,
): Promise<Answer> {
  const folder = `${SEND_TARGETS}/fixtures,${port}`;
  const values = {
    'discovery.startup': 'manual',
    'discovery.type': 'sendtargets',
    'discovery.sendtargets.address': address,
    'discovery.sendtargets.port': String(port),
    'discovery.sendtargets.auth.authmethod': chap === undefined ? 'None' : 'CHAP',
    ...(chap === undefined
      ? {}
      : { 'discovery.sendtargets.auth.username': chap.username, 'discovery.sendtargets.auth.password': chap.password }),
    'discovery.sendtargets.timeo.login_timeout': '2',
    'discovery.sendtargets.reopen_max': '0',
    'discovery.sendtargets.use_discoveryd': 'No',
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    `${folder}/st_config`,
    Object.entries(values)
      .map(([key, value]) => `${key} = ${value}\n`)
      .join(''),
  );
  const begin = performance.now();
  const answer = await tryRun('iscsiadm', [
    '-m',
    'discoverydb',
    '-t',
    'sendtargets',
    '-p',
    `fixtures:${port}`,
    '-I',
    name,
    '-o',
    'nonpersistent',
    '--discover',
  ]);
  console.log(
    `${address} ${name}: ${answer.code} after ${Math.round(performance.now() - begin)} ` +
      `ms\n${answer.stdout}${answer.stderr}`,
  );
  assert.deepEqual(readdirSync(SEND_TARGETS, { recursive: true }), [`fixtures,${port}`, `fixtures,${port}/st_config`]);
  rmSync(SEND_TARGETS, { recursive: true });
  return answer;
}

async function attempt(
  label: string,
  portal: string,
  name: string,
  values: Readonly<Record<string, string>>,
): Promise<void> {
  await node(portal, name, '-o', 'new');
  for (const [key, value] of Object.entries(values)) await node(portal, name, '-o', 'update', '-n', key, '-v', value);
  report(label, await node(portal, name, '--login'));
  await node(portal, name, '-o', 'delete');
}

function report(label: string, { code, stdout, stderr }: Answer): void {
  save(`answers/${label}.json`, `${JSON.stringify({ exitCode: code, stdout, stderr }, undefined, 1)}\n`);
}

function save(name: string, text: string): void {
  mkdirSync(dirname(join(OUT, name)), { recursive: true });
  writeFileSync(join(OUT, name), text);
}

function copy(path: string, name: string): void {
  if (existsSync(path)) save(name, readFileSync(path, 'utf8'));
}

/** Every record there is now, under its own path. */
function collect(folder: string): void {
  mkdirSync(join(OUT, 'nodes', folder), { recursive: true });
  if (existsSync(`${NODES}/${IQN}`)) cpSync(`${NODES}/${IQN}`, join(OUT, 'nodes', folder), { recursive: true });
}

/** The files of the only session, path to text; links as `-> where`. */
function sessionInSysfs(): Readonly<Record<string, string>> {
  const files: Record<string, string> = {};
  const note = (path: string): void => {
    try {
      files[path] = statSync(path).isDirectory() ? `-> ${realpathSync(path)}` : readFileSync(path, 'utf8');
    } catch {
      /* write-only, or gone */
    }
  };
  for (const session of readdirSync('/sys/class/iscsi_session')) {
    const folder = `/sys/class/iscsi_session/${session}`;
    for (const name of ['targetname', 'ifacename', 'state', 'target_id', 'tpgt', 'initiatorname'])
      note(`${folder}/${name}`);
    note(folder);
    note(`${folder}/device`);
    const device = realpathSync(`${folder}/device`);
    const host = /\/(host\d+)\//.exec(device)?.[1] ?? '';
    note(`/sys/class/scsi_host/${host}/proc_name`);
    const connection = `/sys/class/iscsi_connection/connection${session.slice('session'.length)}:0`;
    for (const name of ['address', 'port', 'persistent_address', 'persistent_port', 'local_ipaddr', 'state'])
      note(`${connection}/${name}`);
    for (const target of readdirSync(device).filter((name) => name.startsWith('target'))) {
      for (const unit of readdirSync(`${device}/${target}`).filter((name) => /^\d+:\d+:\d+:\d+$/.test(name))) {
        const place = `${device}/${target}/${unit}`;
        for (const name of ['wwid', 'state', 'vendor', 'model', 'rev']) note(`${place}/${name}`);
        for (const disk of existsSync(`${place}/block`) ? readdirSync(`${place}/block`) : [])
          for (const name of ['size', 'dev', 'ro']) note(`${place}/block/${disk}/${name}`);
      }
    }
  }
  return files;
}
