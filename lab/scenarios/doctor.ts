// needs: libvirt
// releases: 13 12
// takes: 45 s
// limit: 900 s
import assert from 'node:assert/strict';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Container } from 'inversify';
import { SILENT } from '../../src/base/logger.js';
import type { Finding, FindingCode } from '../../src/doctor/finding.js';
import { volumeDriverModule } from '../../src/module.js';
import { TOKENS } from '../../src/tokens.js';
import { commandLineInHere } from '../machine/command-line-in-here.js';
import { run, tryRun } from '../machine/commands.js';
import { databaseRoot, nodesFolder } from '../machine/database-root.js';
import { documentOf, libvirtVolume } from '../machine/libvirt-volume.js';
import { TCP_ADDRESSES } from '../machine/lio-target.js';
import { after, before, test } from '../machine/scenario.js';
import {
  libvirtdUp,
  startIscsid,
  startLibvirtd,
  startMultipathd,
  stopLibvirtd,
  stopMultipathd,
} from '../machine/services.js';
import { waitFor } from '../machine/wait-for.js';

/**
 * The doctor on a real host: each thing that can be wrong is made wrong, named, and mended with the very command that
 * the doctor gives.
 */
const FOLDER = '/run/lab/doctor';
const IQN = 'iqn.2026-11.org.example:doctor';
const PORTAL = '10.99.1.77';
const LOCK = '/run/lock/iscsi/lock';
const [TCP] = TCP_ADDRESSES;
/**
 * Without KVM every instruction is emulated, each of the doctor's commands a few hundred thousand of them; test/doctor
 * asserts the second on the machine itself.
 */
const LIMIT_MS = readFileSync('/proc/cpuinfo', 'utf8').includes('QEMU TCG') ? 8_000 : 1000;

interface Report {
  readonly healthy: boolean;
  readonly findings: readonly ReportedFinding[];
}

type ReportedFinding = Omit<Finding, 'hint'> & { readonly hint: string | null };

before(async () => {
  mkdirSync(FOLDER, { recursive: true });
  await libvirtdUp();
  await examine(); // loads what the next ones need: under emulation that is most of their time
});

after(() => {
  rmSync(FOLDER, { recursive: true, force: true });
});

test('doctor of a healthy host ends with exit status 0, and finds nothing but ok', async () => {
  const report = await requireClean();
  assert.equal(report.healthy, true);
  for (const { code, message } of report.findings) note(`${code}: ${message}`);
  const container = new Container();
  container.load(volumeDriverModule({ config: {} }));
  container.rebind(TOKENS.logger).toConstantValue(SILENT);
  const doctor = container.get(TOKENS.doctor);
  const times: number[] = [];
  for (let round = 0; round < 6; round++) {
    const begin = performance.now();
    await doctor.examine('the lab', new AbortController().signal);
    times.push(performance.now() - begin);
  }
  await container.unbindAllAsync();
  note(`the checks: ${times.map((time) => time.toFixed(0)).join(', ')} ms`);
  assert.ok(Math.min(...times) < LIMIT_MS, `the best of ${times.length} took ${Math.min(...times).toFixed(0)} ms`);
});

test('doctor names a stopped iscsid, which resumes by the given command', async () => {
  const pids = (await run('pidof', ['iscsid'])).trim().split(' ');
  await run('kill', ['-STOP', ...pids]);
  const { hint } = await requireFinding('ISCSID_STOPPED');
  await mendWith(hint);
  await requireClean();
});

test('doctor names an iscsid that does not run; as a command, by exit status 1 and one document', async () => {
  await tryRun('pkill', ['-KILL', '-x', 'iscsid']);
  await waitFor('the end of iscsid', async () => (await tryRun('pidof', ['iscsid'])).code !== 0);
  rmSync('/run/iscsid.pid', { force: true });
  const { status, stdout, stderr } = await libvirtVolume(['doctor', '--json']);
  const report = documentOf({ status, stdout, stderr, ms: 0 }) as Report;
  assert.deepEqual([status, stderr, report.healthy], [1, '', false]);
  // the machine has no systemd to run it
  assert.equal(findingIn(report, 'ISCSID_NOT_RUNNING').hint, 'systemctl start iscsid.socket');
  await startIscsid();
  await requireClean();
});

test('doctor names a stale lock while an iscsiadm waits for it, which then goes on', async () => {
  await whileLocked(async (pid) => {
    const begin = performance.now();
    const { message, hint } = await requireFinding('DATABASE_LOCK_STALE');
    note(`a stale lock was named after ${(performance.now() - begin).toFixed(0)} ms`);
    assert.match(message, new RegExp(`iscsiadm waits for it \\(process ${pid}\\)$`));
    await mendWith(hint);
  });
  await requireClean();
});

test('doctor does not call a lock stale whose iscsiadm is stopped', async () => {
  await whileLocked(async (pid) => {
    await run('kill', ['-STOP', pid]);
    const { hint } = await requireFinding('DATABASE_LOCK_HELD');
    await mendWith(hint);
  });
  await requireClean();
});

test('doctor names a record of length zero, and its command removes it', async () => {
  const folder = `${nodesFolder()}/${IQN}/${PORTAL},3260,1`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/default`, '');
  const { message, hint } = await requireFinding('NODE_RECORD_BROKEN');
  assert.equal(message, `the record ${folder}/default is empty`);
  await mendWith(hint);
  await requireClean();
  rmSync(`${nodesFolder()}/${IQN}`, { recursive: true });
});

test('doctor warns of a record where this open-iscsi does not look, until it has been copied', async () => {
  const root = databaseRoot();
  const other = root === '/etc/iscsi' ? '/var/lib/iscsi' : '/etc/iscsi';
  const record = `nodes/${IQN}/${PORTAL},3260,1/default`;
  const node = ['-m', 'node', '-T', IQN, '-p', `${PORTAL}:3260,1`, '-I', 'default', '-o'];
  await run('iscsiadm', [...node, 'new']);
  const text = readFileSync(`${root}/${record}`, 'utf8');
  await run('iscsiadm', [...node, 'delete']);
  const hadRoot = existsSync(other);
  mkdirSync(`${other}/nodes/${IQN}/${PORTAL},3260,1`, { recursive: true });
  writeFileSync(`${other}/${record}`, text);
  const { message, hint } = await requireFinding('DATABASE_RECORDS_ELSEWHERE');
  assert.match(
    message,
    new RegExp(
      `^${other} has 1 record that open-iscsi never reads: its database is in ${root}, as /usr/sbin/iscsiadm was ` +
        'built$',
    ),
  );
  await mendWith(hint);
  assert.equal(readFileSync(`${root}/${record}`, 'utf8'), text);
  await requireClean();
  await run('iscsiadm', [...node, 'delete']);
  rmSync(hadRoot ? `${other}/nodes/${IQN}` : other, { recursive: true });
});

test('doctor warns of a record that logs in at boot, until its command was run', async () => {
  const node = ['-m', 'node', '-T', IQN, '-p', `${PORTAL}:3260,1`, '-I', 'default', '-o'];
  await run('iscsiadm', [...node, 'new']);
  await run('iscsiadm', [...node, 'update', '-n', 'node.startup', '-v', 'automatic']);
  const { hint } = await requireFinding('NODE_RECORD_AUTOMATIC');
  assert.equal(hint, `iscsiadm -m node -T ${IQN} -p ${PORTAL}:3260 -I default -o update -n node.startup -v manual`);
  await mendWith(hint);
  await requireClean();
  await run('iscsiadm', [...node, 'delete']);
});

test('doctor names a stopped libvirtd', async () => {
  await stopLibvirtd();
  const { message } = await requireFinding('LIBVIRT_UNREACHABLE');
  assert.match(message, /^libvirt does not answer at qemu:\/\/\/system: /);
  await startLibvirtd();
  await requireClean();
});

test('doctor warns of an iface of an absent card; without a fallback that is an error', async () => {
  const iface = 'iscsi_iface = { transport = "cxgb4i", hwaddress = "00:07:43:04:aa:bb" }\n';
  const { message } = await requireFinding('IFACE_FALLS_BACK', config('falls-back', iface));
  assert.match(
    message,
    /^volumes will go over TCP and not over cxgb4i: the iface \S+\.00074304aabb cannot be used: no cxgb4i card is in/,
  );
  await requireFinding('IFACE_UNUSABLE', config('no-fallback', `${iface}iscsi_iface_fallback = "none"\n`));
  await requireFinding('IFACE_NOT_FOUND', config('not-found', 'iscsi_iface = "nobody"\n'));
});

test('doctor gives a host without an initiator name the command that makes one', async () => {
  const file = '/etc/iscsi/initiatorname.iscsi';
  const text = readFileSync(file);
  rmSync(file);
  try {
    const { hint } = await requireFinding('INITIATOR_NAME_MISSING');
    await mendWith(hint?.replace(' && systemctl restart iscsid', '') ?? null); // the machine has no systemd
    await requireClean();
    writeFileSync(file, 'GenerateName=yes\n');
    await requireFinding('INITIATOR_NAME_NOT_GENERATED');
  } finally {
    writeFileSync(file, text);
  }
});

test('doctor names just those odd lines in iscsid.conf that iscsiadm warns of', async () => {
  const file = '/etc/iscsi/iscsid.conf';
  const text = readFileSync(file, 'utf8');
  const first = text.split('\n').length;
  const odd = ['[node]', '; old', 'node.session.cmds_max=64', 'node.session.scan = Auto', 'node.session.queue_depth ='];
  const node = ['-m', 'node', '-T', IQN, '-p', `${PORTAL}:3260,1`, '-I', 'default', '-o'];
  writeFileSync(file, [text, ...odd, 'node.session.reopen_max = 3 # three', 'node.startup = manual'].join('\n'));
  try {
    const { message, hint } = await requireFinding('LINE_NOT_UNDERSTOOD');
    assert.equal(hint, null);
    for (const line of odd.keys()) assert.ok(message.includes(`line ${first + 1 + line} `), message);
    const { stderr } = await tryRun('iscsiadm', [...node, 'new']);
    const warned = new Set([...stderr.matchAll(/onfig file line (\d+) /g)].map(([, line]) => Number(line)));
    note(stderr);
    assert.deepEqual(
      [...warned].toSorted((one, other) => one - other),
      [...odd.keys(), odd.length + 1].map((line) => first + 1 + line),
    );
    const { stdout } = await tryRun('iscsiadm', [...node, 'show']);
    assert.match(stdout, /^node\.session\.reopen_max = 3$/m);
    await run('iscsiadm', [...node, 'delete']);
  } finally {
    writeFileSync(file, text);
  }
  await requireClean();
});

test('doctor reads an initiator name with blanks around its equals sign as iscsid does', async () => {
  const file = '/etc/iscsi/initiatorname.iscsi';
  const text = readFileSync(file);
  writeFileSync(
    file,
    '# ours\n InitiatorName\t= iqn.2026-11.org.example:blanks \nInitiatorName=iqn.2026-11.org.example:second\n',
  );
  try {
    const report = await requireClean();
    assert.match(
      findingIn(report, 'INITIATOR_NAME_SET').message,
      /^this host is iqn\.2026-11\.org\.example:blanks(?:;|$)/,
    );
    assert.equal(readFileSync(file, 'utf8').includes('blanks'), true);
  } finally {
    writeFileSync(file, text);
  }
});

test('doctor names volume_use_multipath without multipathd, and a multipathd that takes every disk', async () => {
  const enforced = config('enforced', 'volume_use_multipath = true\nvolume_enforce_multipath = true\n');
  const before = readFileSync('/etc/multipath.conf', 'utf8');
  await requireFinding('ONE_PATH_ONLY', config('multipath', 'volume_use_multipath = true\n'));
  await requireFinding('MULTIPATHD_NOT_RUNNING', enforced);
  await startMultipathd('defaults {\n find_multipaths no\n}\n');
  try {
    assert.match(findingIn(await requireClean(enforced), 'MULTIPATH_READY').message, /find_multipaths = (?:off|no)$/);
    const { hint } = await requireFinding('MULTIPATHD_TAKES_ALL');
    await mendWith(hint);
    await waitFor('multipathd to read its configuration', async () =>
      (await tryRun('multipathd', ['show', 'config'])).stdout.includes('find_multipaths "on"'),
    ); // its own word for yes
    await requireClean();
  } finally {
    await stopMultipathd();
    rmSync('/etc/multipath/conf.d/libvirt-volume.conf', { force: true });
    writeFileSync('/etc/multipath.conf', before);
  }
});

test('doctor names a shared network and a strict rp_filter of a tcp iface, and its commands hint both', async () => {
  const iface = ['-m', 'iface', '-I', 'doctor.bound', '-o'];
  await run('ip', ['link', 'add', 'doctor0', 'type', 'dummy']);
  await run('ip', ['address', 'add', '10.99.1.200/24', 'dev', 'doctor0']);
  await run('ip', ['link', 'set', 'doctor0', 'up']);
  await run('iscsiadm', [...iface, 'new']);
  await run('iscsiadm', [...iface, 'update', '-n', 'iface.net_ifacename', '-v', 'doctor0']);
  try {
    await run('sysctl', ['-w', 'net.ipv4.conf.all.rp_filter=1']);
    const bound = config('bound', 'iscsi_iface = "doctor.bound"\n');
    const { message, hint } = await requireFinding('REPLIES_DROPPED', bound);
    assert.match(message, /^(?:doctor0 and portals|portals and doctor0) are in one network /);
    await mendWith(hint);
    await mendWith((await requireFinding('ARP_FLUX', bound)).hint);
    await requireClean(bound);
    const { status, stdout } = await commandLineInHere(['ifaces', 'generate', '--json']);
    const { made, differences, ifaces } = JSON.parse(stdout) as {
      readonly made: unknown;
      readonly differences: unknown;
      readonly ifaces: readonly { readonly name: string }[];
    };
    assert.deepEqual(
      [status, made, differences, ifaces.map(({ name }) => name)],
      [0, [], [], ['doctor.bound', 'default', 'iser']],
    );
  } finally {
    await run('sysctl', ['-w', 'net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.portals.arp_ignore=0']);
    await run('iscsiadm', [...iface, 'delete']);
    await run('ip', ['link', 'delete', 'doctor0']);
  }
});

test('doctor names a root_helper that runs nothing, and a portal address that is no iface', async () => {
  await requireFinding('ROOT_HELPER_FAILED', config('helper', 'root_helper = ["false"]\n'));
  assert.equal(
    (
      await requireFinding(
        'IFACE_NOT_FOUND',
        config('address', `iscsi_iface = { ipaddress = "${TCP.replace(/\d+$/, '250')}" }\n`),
      )
    ).hint,
    null,
  );
});

async function examine(file?: string): Promise<Report & { readonly status: number | undefined }> {
  const { status, stdout, stderr } = await commandLineInHere([
    'doctor',
    '--json',
    ...(file === undefined ? [] : ['--config', file]),
  ]);
  assert.equal(stderr, '');
  return { ...(JSON.parse(stdout) as Report), status };
}

/** An iscsiadm waits for a lock that nobody holds, all through the body; once the lock is gone it ends well. */
async function whileLocked(body: (pid: string) => Promise<void>): Promise<void> {
  linkSync(LOCK, `${LOCK}.write`);
  const waiting = tryRun('iscsiadm', ['-m', 'iface', '-I', 'doctor.waits', '-o', 'new']);
  try {
    await body(await waitForPid('iscsiadm'));
  } finally {
    rmSync(`${LOCK}.write`, { force: true });
    assert.equal((await waiting).code, 0);
    await run('iscsiadm', ['-m', 'iface', '-I', 'doctor.waits', '-o', 'delete']);
  }
}

/** The finding is there; the exit status and `healthy` say what its severity means. */
async function requireFinding(code: FindingCode, file?: string): Promise<ReportedFinding> {
  const report = await examine(file);
  const found = findingIn(report, code);
  const failed = report.findings.some(({ severity }) => severity === 'error');
  assert.deepEqual([report.status, report.healthy], failed ? [1, false] : [0, true]);
  assert.equal(found.severity === 'error' ? report.status : 0, found.severity === 'error' ? 1 : 0);
  note(`${found.severity} ${code}: ${found.message}\n    ${found.hint ?? '(no command)'}`);
  return found;
}

/** Nothing but what is well. */
async function requireClean(file?: string): Promise<Report> {
  const report = await examine(file);
  assert.deepEqual(
    report.findings.filter(({ severity }) => severity !== 'ok'),
    [],
  );
  assert.deepEqual([report.status, report.healthy], [0, true]);
  return report;
}

function findingIn({ findings }: Report, code: FindingCode): ReportedFinding {
  const found = findings.find((finding) => finding.code === code);
  assert.ok(found !== undefined, `there is no ${code} in ${JSON.stringify(findings)}`);
  return found;
}

async function mendWith(command: string | null): Promise<void> {
  assert.ok(command !== null, 'no command is given');
  await run('sh', ['-c', command]);
}

async function waitForPid(name: string): Promise<string> {
  let pid = '';
  await waitFor(name, async () => {
    pid = (await tryRun('pidof', [name])).stdout.trim();
    return pid !== '';
  });
  return pid;
}

function config(name: string, options: string): string {
  writeFileSync(`${FOLDER}/${name}.toml`, `[libvirt]\n${options}`);
  return `${FOLDER}/${name}.toml`;
}

function note(text: string): void {
  process.stdout.write(`${text}\n`);
}
