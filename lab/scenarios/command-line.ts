// needs: libvirt
// releases: 13 12
// takes: 170 s
// limit: 900 s
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, tryRun } from '../machine/commands.js';
import { commandLineInHere } from '../machine/command-line-in-here.js';
import { connectionInfo } from '../machine/connection-info.js';
import { nodesFolder } from '../machine/database-root.js';
import { Domain } from '../machine/domain.js';
import {
  commandsIn,
  documentOf,
  errorOf,
  libvirtVolume,
  type Outcome,
  processesWith,
  type RunAs,
} from '../machine/libvirt-volume.js';
import { ISER_ADDRESS, LioTarget, TCP_ADDRESSES } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { requireNothingLeft } from '../machine/require-nothing-left.js';
import { readResidue, type Residue } from '../machine/residue.js';
import { after, before, test } from '../machine/scenario.js';
import { libvirtdUp, startIscsid, startLibvirtd, stopLibvirtd } from '../machine/services.js';
import { waitFor } from '../machine/wait-for.js';

/** The real `libvirt-volume`, a process of its own each time, on the machine's real initiator, target and libvirt. */
const FOLDER = '/run/lab/command-line';
const IQN = 'iqn.2026-11.org.example:command-line';
const ISER_IQN = `${IQN}-iser`;
const CHAP_IQN = 'iqn.2026-11.org.example:command-line-chap';
const LUN = 1;
const MIB = 2 ** 20;
const GUEST = 'command-line';
const USER = 'volumes';
const SUDOERS = '/etc/sudoers.d/volumes';
const SECRET = 'Right-Secret-4711';
const WRONG_SECRET = 'Wrong-Secret-0815';
const DEAD_PORTAL = '10.99.1.99:3260';
const [TCP] = TCP_ADDRESSES;

interface Info {
  readonly driver_volume_type: string;
  readonly serial: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const cleanUps: (() => Promise<unknown> | undefined)[] = [];
let volume: LioVolume;
/** Of its own: every path of one volume goes with it, whichever iface it came over. */
let iserVolume: LioVolume;
let guest: Domain;
let info: Info;
let iserInfo: Info;
let chapInfo: Info;
let clean: Residue;

before(async () => {
  mkdirSync(FOLDER, { recursive: true });
  volume = await LioVolume.create({ name: 'command-line' });
  cleanUps.push(() => volume.remove());
  iserVolume = await LioVolume.create({ name: 'command-line-iser' });
  cleanUps.push(() => iserVolume.remove());
  const chapVolume = await LioVolume.create({ name: 'command-line-chap' });
  cleanUps.push(() => chapVolume.remove());
  const target = new LioTarget({ iqn: IQN, luns: { [LUN]: volume }, portals: [{ address: TCP }] });
  const iserTarget = new LioTarget({
    iqn: ISER_IQN,
    luns: { [LUN]: iserVolume },
    portals: [{ address: ISER_ADDRESS, iser: true }],
  });
  const chapTarget = new LioTarget({
    iqn: CHAP_IQN,
    luns: { [LUN]: chapVolume },
    portals: [{ address: TCP_ADDRESSES[1] }],
    chap: { username: 'volumes', password: SECRET },
  });
  for (const one of [target, iserTarget, chapTarget])
    cleanUps.push(async () => {
      one.remove();
    });
  info = connectionInfo(volume, target, LUN, [TCP]) as Info;
  iserInfo = connectionInfo(iserVolume, iserTarget, LUN, [ISER_ADDRESS]) as Info;
  chapInfo = withData(connectionInfo(chapVolume, chapTarget, LUN, [TCP_ADDRESSES[1]]) as Info, {
    auth_method: 'CHAP',
    auth_username: 'volumes',
    auth_password: SECRET,
  });
  await libvirtdUp();
  guest = await Domain.start({ name: GUEST });
  cleanUps.push(() => guest.stop());
  clean = await readResidue();
});

after(async () => {
  for (const cleanUp of cleanUps.toReversed()) await cleanUp();
  rmSync(FOLDER, { recursive: true, force: true });
});

test('libvirt-volume, two commands at a time: the host side over TCP; ifaces, attach, detach over iSER', async () => {
  await Promise.all([connectOverTcp(), attachOverIser()]);
  await requireNothingLeft(clean);
});

test('libvirt-volume, two commands at a time: attach and detach in text, CHAP with both secrets', async () => {
  await Promise.all([attachForPeople(), attachWithChap()]);
  await requireNothingLeft(clean);
});

test('libvirt-volume with root_helper connects and disconnects for a user who is not root', async () => {
  await run('useradd', ['--system', '--user-group', '--no-create-home', USER]);
  cleanUps.push(() => run('userdel', [USER]));
  writeFileSync(SUDOERS, `${USER} ALL=(root) NOPASSWD: ALL\n`, { mode: 0o440 });
  cleanUps.push(async () => {
    rmSync(SUDOERS);
  });
  const config = configFile('helper', 'root_helper = ["sudo", "-n"]\n');
  const words = ['--connection-info', infoFile('tcp', info), '--config', config, '--json'];
  const asUser = { user: USER, env: { LIBVIRT_VOLUME_LOG: 'debug' } };
  const connected = await succeed(['connect', ...words], asUser);
  note(
    `with sudo: connect ${connected.ms} ms, ${commandsIn(connected, '')
      .map(({ command, ms }) => `${ms} ms ${command}`)
      .join('; ')}`,
  );
  const { device, session } = asConnected(documentOf(connected));
  assert.deepEqual(
    documentOf(connected),
    connectedDocument({ device, session, address: TCP, iface: 'default', transport: 'tcp' }),
  );
  const disconnected = await succeed(['disconnect', ...words], asUser);
  assert.deepEqual(documentOf(disconnected), { disconnected: true, warnings: [] });
  note(`with sudo: disconnect ${disconnected.ms} ms, ${commandsIn(disconnected, '').length} commands`);
  await requireNothingLeft(clean);
});

test('libvirt-volume undoes all on SIGINT, to every process, during a login and the wait for a disk', async () => {
  const login = interrupt(
    infoFile('dead', withData(info, { target_portal: DEAD_PORTAL })),
    'iscsiadm to run',
    async () => (await tryRun('pidof', ['iscsiadm'])).code === 0,
  );
  assert.equal((await login).status, 1);
  const wait = await interrupt(infoFile('lun', withData(info, { target_lun: 77 })), 'the session', () =>
    readFileSyncs('/sys/class/iscsi_session', 'state').includes('LOGGED_IN'),
  );
  assert.deepEqual({ status: wait.status, code: errorOf(wait).code }, { status: 1, code: 'ABORTED' });
  assert.match(wait.stderr, /^libvirt-volume: SIGINT: stopping, and undoing what was begun\n$/);
  await requireNothingLeft(clean);
});

/** connect, connect again, disk-xml, disconnect, disconnect again. */
async function connectOverTcp(): Promise<void> {
  const file = infoFile('tcp', info);
  const first = documentOf(await succeed(['connect', '--connection-info', file, '--json']));
  const { device, session } = asConnected(first);
  assert.deepEqual(first, connectedDocument({ device, session, address: TCP, iface: 'default', transport: 'tcp' }));
  assert.deepEqual(
    documentOf(await succeed(['connect', '--connection-info', '-', '--json'], { input: JSON.stringify(info) })),
    first,
  );
  const described = documentOf(
    await succeed(['disk-xml', '--connection-info', file, '--disk-info', '-', '--json'], {
      input: '{"dev":"vdb","bus":"virtio"}',
    }),
  ) as { device: string; diskXml: string };
  assert.equal(described.device, device);
  assert.match(described.diskXml, new RegExp(`<source dev="${device}"/>`));
  assert.match(described.diskXml, /<target dev="vdb" bus="virtio"\/>/);
  assert.deepEqual(documentOf(await succeed(['disconnect', '--connection-info', file, '--json'])), {
    disconnected: true,
    warnings: [],
  });
  assert.deepEqual(documentOf(await succeed(['disconnect', '--connection-info', file, '--json'])), {
    disconnected: false,
    warnings: [],
  });
}

/** By a config file of iscsi_iface = "iser": what the guest writes is on the target. */
async function attachOverIser(): Promise<void> {
  const { ifaces } = documentOf(await succeed(['ifaces', '--json'])) as {
    readonly ifaces: readonly Readonly<Record<string, unknown>>[];
  };
  for (const [name, transport] of [
    ['default', 'tcp'],
    ['iser', 'iser'],
  ]) {
    assert.deepEqual(
      ifaces.filter((iface) => iface['name'] === name),
      [
        {
          name,
          transport,
          hwaddress: null,
          ipaddress: null,
          netIfacename: null,
          builtIn: true,
          usable: true,
          code: null,
          reason: null,
          findings: [],
        },
      ],
    );
  }
  const config = configFile('iser', 'iscsi_iface = "iser"\niscsi_iface_fallback = "none"\n');
  const file = infoFile('iser', iserInfo);
  const attached = documentOf(
    await succeed([
      'attach',
      GUEST,
      '--connection-info',
      file,
      '--dev',
      'sdb',
      '--bus',
      'scsi',
      '--config',
      config,
      '--json',
    ]),
  ) as Readonly<Record<string, unknown>>;
  const { device, session } = asConnected(attached);
  const { diskXml, domain, ...connected } = attached;
  assert.deepEqual(
    connected,
    connectedDocument(
      { device, session, address: ISER_ADDRESS, iface: 'iser', transport: 'iser' },
      ISER_IQN,
      iserVolume,
    ),
  );
  assert.equal(domain, GUEST);
  assert.match(String(diskXml), new RegExp(`<source dev="${device}"/>`));
  await guestWrites(iserInfo, 0xb2);
  assert.deepEqual(
    documentOf(await succeed(['detach', GUEST, '--connection-info', file, '--config', config, '--json'])),
    { detached: true, warnings: [] },
  );
  assert.deepEqual(await guest.disks(), []);
}

async function attachForPeople(): Promise<void> {
  const file = infoFile('tcp', info);
  const attached = await succeed(['attach', GUEST, '--connection-info', file, '--dev', 'sdb', '--bus', 'scsi']);
  assert.match(
    attached.stdout,
    /^Attached to command-line as sdb\n\/dev\/sd[a-z]+ {2}disk, 64 MiB, wwid 36001405\w+\niface default\nDISK /,
  );
  await guestWrites(info, 0xa1);
  assert.equal((await succeed(['detach', GUEST, '--connection-info', file])).stdout, 'Detached from command-line\n');
}

/** A wrong secret fails at once, the right one works, and neither is seen anywhere but in the record file. */
async function attachWithChap(): Promise<void> {
  const debug = { env: { LIBVIRT_VOLUME_LOG: 'debug' } };
  const wrong = libvirtVolume(
    ['connect', '--connection-info', infoFile('wrong', withData(chapInfo, { auth_password: WRONG_SECRET })), '--json'],
    debug,
  );
  assert.deepEqual(await processesWith(WRONG_SECRET, wrong), []);
  const refused = await wrong;
  assert.equal(errorOf(refused).code, 'LOGIN_AUTH_FAILED');
  assert.equal(`${refused.stdout}${refused.stderr}`.includes(WRONG_SECRET), false);
  const [login] = commandsIn(refused, 'iscsiadm');
  assert.ok(login !== undefined && login.ms < 10_000, `the login took ${String(login?.ms)} ms: it was tried again`);
  note(`a login with a wrong CHAP secret: ${login.ms} ms`);
  const file = infoFile('chap', chapInfo);
  const attaching = libvirtVolume(
    ['attach', GUEST, '--connection-info', file, '--dev', 'sdc', '--bus', 'scsi', '--json'],
    debug,
  );
  assert.deepEqual(await processesWith(SECRET, attaching), []);
  const attached = await attaching;
  assert.equal(attached.status, 0, attached.stderr);
  assert.equal(`${attached.stdout}${attached.stderr}`.includes(SECRET), false);
  assert.ok(attached.stderr.includes('Ran a command'), 'the log was on');
  const [record = ''] = readdirSync(`${nodesFolder()}/${CHAP_IQN}`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('/default'))
    .map((name) => join(nodesFolder(), CHAP_IQN, name));
  assert.ok(readFileSync(record, 'utf8').includes(SECRET));
  assert.equal(statSync(record).mode & 0o777, 0o600);
  assert.equal((await guest.xml()).includes(SECRET), false);
  await succeed(['detach', GUEST, '--connection-info', file]);
}

interface BadInput {
  readonly what: string;
  readonly args: readonly string[];
  readonly code: string;
  readonly status: 1 | 2;
  readonly says: RegExp;
}

/** What is wrong, and what would be right, each in one line. */
function badInputs(): readonly BadInput[] {
  const connect = (name: string, given: unknown, says: RegExp): BadInput => ({
    what: name,
    args: ['connect', '--connection-info', infoFile(name.replaceAll(/\W+/g, '-'), given)],
    code: 'CONNECTION_INFO_INVALID',
    status: 2,
    says,
  });
  const attach = (domain: string, bus: string): readonly string[] => [
    'attach',
    domain,
    '--connection-info',
    infoFile('tcp', info),
    '--dev',
    'sdb',
    '--bus',
    bus,
  ];
  writeFileSync(`${FOLDER}/malformed.json`, '{\n  "driver_volume_type": "iscsi",\n  "data": {"target_lun": 1,, }\n}\n');
  return [
    connect('a missing key', withData(info, { target_iqn: undefined }), /data\.target_iqn is missing/),
    connect(
      'unequal lists',
      withData(info, {
        target_portals: [`${TCP}:3260`, '10.99.2.1:3260'],
        target_iqns: [IQN, IQN],
        target_luns: [LUN],
      }),
      /data\.target_luns has 1 entries and data\.target_portals has 2: expected one for each portal/,
    ),
    connect(
      'port 0',
      withData(info, { target_portal: `${TCP}:0` }),
      /data\.target_portal: .*"10\.99\.1\.1:0".* expected .* a port from 1 to 65535/,
    ),
    connect(
      'an IQN with two dots',
      withData(info, { target_iqn: 'iqn.2026-11.org.example:../../etc' }),
      /data\.target_iqn: .* expected the form iqn\./,
    ),
    connect(
      'an IQN with a newline',
      withData(info, { target_iqn: `${IQN}\nnode.startup = automatic` }),
      /data\.target_iqn: expected text without control characters, not ".*\\n/,
    ),
    connect(
      'LUN -1',
      withData(info, { target_lun: -1 }),
      /data\.target_lun: .*-1.* expected a whole number from 0 to 16383/,
    ),
    {
      what: 'a bus that there is not',
      args: attach(GUEST, 'floppy'),
      code: 'USAGE',
      status: 2,
      says: /'floppy' is invalid\. Allowed choices are .*virtio/,
    },
    {
      what: 'a domain that there is not',
      args: attach('nobody', 'scsi'),
      code: 'DOMAIN_NOT_FOUND',
      status: 1,
      says: /nobody/,
    },
    {
      what: 'a misspelt option',
      args: [
        'connect',
        '--connection-info',
        infoFile('tcp', info),
        '--config',
        configFile('misspelt', 'iscsi_ifce = "iser"\n'),
      ],
      code: 'CONFIG_INVALID',
      status: 2,
      says: /iscsi_ifce.*iscsi_iface/,
    },
    {
      what: 'malformed JSON',
      args: ['connect', '--connection-info', `${FOLDER}/malformed.json`],
      code: 'USAGE',
      status: 2,
      says: /malformed\.json as JSON: it goes wrong at line 3, column 28/,
    },
    {
      what: 'a dead portal',
      args: [
        'connect',
        '--connection-info',
        infoFile('dead', withData(info, { target_portal: DEAD_PORTAL })),
        '--config',
        configFile('quick', ''),
      ],
      code: 'PORTAL_UNREACHABLE',
      status: 1,
      says: /10\.99\.1\.99:3260/,
    },
    {
      what: 'a wrong CHAP secret',
      args: ['connect', '--connection-info', infoFile('wrong', withData(chapInfo, { auth_password: WRONG_SECRET }))],
      code: 'LOGIN_AUTH_FAILED',
      status: 1,
      says: /authorization failure/,
    },
  ];
}

test('libvirt-volume reports bad input in one line, or one document, and leaves nothing', async (context) => {
  for (const { what, args, ...expected } of badInputs()) {
    await context.test(what, async () => {
      await refuse(args, { ...expected, programs: commandLineInHere });
    });
  }
});

test('libvirt-volume reports a stopped libvirtd as LIBVIRT_UNAVAILABLE before anything is done', async () => {
  const attach = ['attach', GUEST, '--connection-info', infoFile('tcp', info), '--dev', 'sdb', '--bus', 'scsi'];
  await stopLibvirtd();
  try {
    await refuse(attach, {
      programs: libvirtVolume,
      code: 'LIBVIRT_UNAVAILABLE',
      status: 1,
      says: /Cannot connect to libvirt at \/run\/libvirt\/libvirt-sock/,
    });
  } finally {
    await startLibvirtd();
  }
});

test('libvirt-volume reports a stopped iscsid as INITIATOR_UNAVAILABLE, with the command that starts it', async () => {
  await killIscsid();
  try {
    const outcome = await refuse(
      ['connect', '--connection-info', infoFile('tcp', info)],
      {
        programs: libvirtVolume,
        code: 'INITIATOR_UNAVAILABLE',
        status: 1,
        says: /could not (?:connect to|communicate with) iscsid/,
      },
      { env: { LIBVIRT_VOLUME_LOG: 'debug' } },
    );
    note(
      `iscsiadm without iscsid: ${commandsIn(outcome, 'iscsiadm')
        .map(({ ms }) => ms)
        .join(', ')} ms`,
    );
  } finally {
    await startIscsid();
  }
});

test('libvirt-volume reports PERMISSION_DENIED, with a remedy, to a user who is not root', async () => {
  await refuse(
    ['connect', '--connection-info', infoFile('tcp', info)],
    {
      programs: libvirtVolume,
      code: 'PERMISSION_DENIED',
      status: 1,
      says: /Cannot (?:use|lock) .*\nhint: run as root/,
    },
    { user: '65534' },
  );
});

/** Runs the command to a good end. */
async function succeed(args: readonly string[], as: RunAs = {}): Promise<Outcome> {
  const outcome = await libvirtVolume(args, as);
  assert.equal(outcome.status, 0, `libvirt-volume ${args.join(' ')}: ${outcome.stdout}${outcome.stderr}`);
  if (as.env === undefined) assert.equal(outcome.stderr, '');
  return outcome;
}

/**
 * Runs the command that must fail, for people and for programs. A process of its own takes seconds to load under
 * emulation, so the form for people has one only where it is another user's. @returns the form for programs
 */
async function refuse(
  args: readonly string[],
  { code, status, says, programs }: Omit<BadInput, 'what' | 'args'> & { readonly programs: typeof libvirtVolume },
  as: RunAs = {},
): Promise<Outcome> {
  const people = as.user === undefined ? commandLineInHere : libvirtVolume;
  const [forPeople, forPrograms] = await Promise.all([
    people(args, { ...as, env: {} }),
    programs([...args, '--json'], as),
  ]);
  note(`${code}, ${forPeople.ms} ms: ${forPeople.stderr.trimEnd().replaceAll('\n', ' | ')}`);
  assert.deepEqual({ status: forPeople.status, stdout: forPeople.stdout }, { status, stdout: '' }, forPeople.stderr);
  assert.match(forPeople.stderr, says);
  assert.match(forPeople.stderr, /^libvirt-volume: [^\n]+\n(?:hint: [^\n]+\n)?$/);
  assert.equal(forPrograms.status, status, forPrograms.stdout);
  if (as.env === undefined) assert.equal(forPrograms.stderr, '');
  const { code: told, message, hint } = errorOf(forPrograms);
  assert.equal(told, code);
  assert.match(`${message}\nhint: ${String(hint)}`, says);
  await requireNothingLeft(clean);
  return forPrograms;
}

async function interrupt(file: string, what: string, ready: () => Promise<boolean> | boolean): Promise<Outcome> {
  let child: ChildProcess | undefined;
  const outcome = libvirtVolume(['connect', '--connection-info', file, '--json'], {
    ownGroup: true,
    started: (process) => {
      child = process;
    },
  });
  await waitFor(what, ready, 60_000);
  assert.ok(child?.pid !== undefined);
  process.kill(-child.pid, 'SIGINT');
  const { ms, ...rest } = await outcome;
  note(`SIGINT: ended after ${ms} ms in all: ${rest.stdout.trim()}`);
  return { ...rest, ms };
}

async function guestWrites({ data }: Info, pattern: number): Promise<void> {
  await guest.write(`ua-${String(data['volume_id'])}`, pattern, MIB, 4096);
  assert.deepEqual((data === iserInfo.data ? iserVolume : volume).read(MIB, 4096), Buffer.alloc(4096, pattern));
}

/** The form of docs/command-line.md, whole: no key more and none less. */
function connectedDocument(
  {
    device,
    session,
    address,
    iface,
    transport,
  }: Readonly<Record<'device' | 'address' | 'iface' | 'transport', string>> & { readonly session: number },
  target = IQN,
  { wwid } = volume,
): object {
  return {
    device,
    kind: 'disk',
    wwid,
    sizeBytes: 64 * MIB,
    paths: [{ disk: device, portal: `${address}:3260`, target, lun: LUN, iface, transport, session }],
    transport: { requested: iface, used: iface, fallback: null },
    warnings: [],
  };
}

function asConnected(document: unknown): { readonly device: string; readonly session: number } {
  const {
    device,
    paths: [path],
  } = document as { readonly device: string; readonly paths: readonly [{ readonly session: number }] };
  assert.match(device, /^\/dev\/sd[a-z]+$/);
  assert.ok(path.session > 0);
  return { device, session: path.session };
}

function withData(given: Info, changes: Readonly<Record<string, unknown>>): Info {
  return { ...given, data: { ...given.data, ...changes } };
}

function infoFile(name: string, given: unknown): string {
  writeFileSync(`${FOLDER}/${name}.json`, JSON.stringify(given));
  return `${FOLDER}/${name}.json`;
}

function configFile(name: string, options: string): string {
  writeFileSync(
    `${FOLDER}/${name}.toml`,
    `[libvirt]\nlogin_timeout_seconds = 3\ndevice_timeout_seconds = 30\n${options}`,
  );
  return `${FOLDER}/${name}.toml`;
}

/**
 * A killed iscsid leaves its sessions to the kernel; there are none. On SIGTERM it ends its whole process group, which
 * is not its own.
 */
async function killIscsid(): Promise<void> {
  await tryRun('pkill', ['-KILL', '-x', 'iscsid']);
  await waitFor('the end of iscsid', async () => (await tryRun('pidof', ['iscsid'])).code !== 0);
  rmSync('/run/iscsid.pid', { force: true });
}

function readFileSyncs(folder: string, name: string): readonly string[] {
  try {
    return readdirSync(folder).map((entry) => readFileSync(join(folder, entry, name), 'utf8').trim());
  } catch {
    return [];
  }
}

function note(text: string): void {
  process.stdout.write(`${text}\n`);
}
