import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import type { IfaceReport } from '../../src/preflight/iface-report.js';
import { FakeVolumeDriver } from '../fakes/fake-volume-driver.js';
import { cli, type CliResult, VOLUME } from './cli-fixture.js';

const CONNECT = ['connect', '--connection-info', '-'];
const ATTACH = ['attach', 'web1', '--connection-info', '-', '--dev', 'vdb', '--bus', 'virtio'];

const documentOf = ({ stdout }: CliResult): unknown => {
  expect(stdout).toMatch(/^[^\n]+\n$/);
  return JSON.parse(stdout);
};

const CONNECTED = {
  device: '/dev/sda',
  kind: 'disk',
  wwid: '36001405000000000000000000000000',
  sizeBytes: 1_073_741_824,
  paths: [
    {
      disk: '/dev/sda',
      portal: '10.99.1.1:3260',
      target: 'iqn.2010-10.org.openstack:volume-1',
      lun: 0,
      iface: 'default',
      transport: 'tcp',
      session: 1,
    },
  ],
  transport: { requested: 'default', used: 'default', fallback: null },
  warnings: [],
};

test('connect --json prints the one fixed document', async () => {
  const result = await cli()([...CONNECT, '--json']);
  expect(documentOf(result)).toEqual(CONNECTED);
  expect(result).toMatchObject({ status: 0, stderr: '' });
});

test('connect prints the device and its paths for people, warnings on stderr', async () => {
  const result = await cli({ driver: new FakeVolumeDriver({ warnings: ['the clock is odd'] }) })(CONNECT);
  expect(result.stdout).toMatch(/^\/dev\/sda {2}disk, 1 GiB, wwid 3600/);
  expect(result.stdout).toContain('10.99.1.1:3260');
  expect(result).toMatchObject({ status: 0, stderr: 'warning: the clock is odd\n' });
});

test('libvirt-volume accepts --json and --config before and after the command', async () => {
  expect((await cli()(['--json', ...CONNECT])).stdout).toContain('"device":"/dev/sda"');
  const config = ['--config', 'config/libvirt-volume.toml'];
  expect(await cli()([...config, ...CONNECT])).toMatchObject({ status: 0 });
  expect(await cli()([...CONNECT, ...config])).toMatchObject({ status: 0 });
});

test('disconnect reports whether there was anything', async () => {
  const command = cli();
  await command(CONNECT);
  const disconnect = ['disconnect', '--connection-info', '-', '--json'];
  expect(documentOf(await command(disconnect))).toEqual({ disconnected: true, warnings: [] });
  expect(documentOf(await command(disconnect))).toEqual({ disconnected: false, warnings: [] });
  expect((await command(disconnect.slice(0, 3))).stdout).toBe(
    'Nothing to do: the volume is not connected to this host\n',
  );
});

test('attach --json prints the document of connect with the disk XML and the domain', async () => {
  const document = documentOf(await cli()([...ATTACH, '--json']));
  expect(document).toEqual({
    ...CONNECTED,
    diskXml: expect.stringContaining('<target dev="vdb" bus="virtio"/>') as unknown,
    domain: 'web1',
  });
});

test('attach passes the unit on', async () => {
  const args = [
    'attach',
    'web1',
    '--connection-info',
    '-',
    '--dev',
    'sda',
    '--bus',
    'scsi',
    '--unit',
    '3',
    '--type',
    'lun',
    '--json',
  ];
  expect(documentOf(await cli()(args))).toMatchObject({ diskXml: expect.stringContaining('unit="3"') as unknown });
});

const ENCRYPTED = JSON.stringify({ ...VOLUME, data: { ...VOLUME.data, encrypted: true } });

test.each([
  ['geheim', 'geheim'],
  ['geheim\n', 'geheim'],
  ['geheim\r\n', 'geheim'],
  ['geheim\n\n', 'geheim\n'],
])('attach --passphrase-file - reads %j as the passphrase, and prints it nowhere', async (stdin, passphrase) => {
  const driver = new FakeVolumeDriver();
  const args = [
    'attach',
    'web1',
    '--connection-info',
    'test/cli/encrypted.json',
    '--dev',
    'vdb',
    '--bus',
    'virtio',
    '--passphrase-file',
    '-',
  ];
  const result = await cli({ driver })([...args, '--verbose'], stdin);
  expect(result).toMatchObject({
    status: 0,
    stdout: expect.not.stringContaining('geheim') as unknown,
    stderr: expect.not.stringContaining('geheim') as unknown,
  });
  expect(driver.passphrase?.reveal()).toBe(passphrase);
});

test('attach of an encrypted volume without a passphrase reports how to give one', async () => {
  expect(await cli()(ATTACH, ENCRYPTED)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('--passphrase-file FILE') as unknown,
  });
});

test('detach removes the volume from guest and host', async () => {
  const command = cli();
  await command(ATTACH);
  const detach = ['detach', 'web1', '--connection-info', '-', '--json'];
  expect(documentOf(await command(detach))).toEqual({ detached: true, warnings: [] });
  expect(documentOf(await command(detach))).toEqual({ detached: false, warnings: [] });
});

test.each([
  ['disconnect', CONNECT],
  ['detach', ATTACH],
] as const)('%s --wwid removes that volume and no other', async (name, before) => {
  const command = cli();
  const { wwid } = documentOf(await command([...before, '--json'])) as { readonly wwid: string };
  const take = [
    ...(name === 'detach' ? ['detach', 'web1'] : ['disconnect']),
    '--connection-info',
    '-',
    '--json',
    '--wwid',
  ];
  const refused = await command([...take, `3600140599999${wwid.slice(13)}`]);
  expect({ status: refused.status, document: documentOf(refused) }).toMatchObject({
    status: 1,
    document: { error: { code: 'DEVICE_MISMATCH' } },
  });
  expect(documentOf(await command([...take, wwid]))).toMatchObject({ [`${name}ed`]: true });
});

test('extend prints both sizes, and whether the guest was notified', async () => {
  const driver = new FakeVolumeDriver();
  const command = cli({ driver });
  await command(ATTACH);
  driver.grow(VOLUME, 2_147_483_648);
  expect(documentOf(await command(['extend', 'web1', '--connection-info', '-', '--json']))).toEqual({
    device: '/dev/sda',
    oldSizeBytes: 1_073_741_824,
    newSizeBytes: 2_147_483_648,
    guestResized: true,
    warnings: [],
  });
  expect((await command(['extend', '--connection-info', '-'])).stdout).toBe('/dev/sda is at its size, 2 GiB\n');
  driver.grow(VOLUME, 3_221_225_472);
  expect((await command(['extend', 'web1', '--connection-info', '-'])).stdout).toBe(
    '/dev/sda grew from 2 GiB to 3 GiB, and web1 was told\n',
  );
});

test('disk-xml takes the device from the connection_info, else the connected one', async () => {
  const command = cli();
  const args = ['disk-xml', '--connection-info', '-', '--disk-info', 'test/cli/disk-info.json'];
  const named = JSON.stringify({ ...VOLUME, data: { ...VOLUME.data, device_path: '/dev/dm-7' } });
  expect((await command(args, named)).stdout).toContain('<source dev="/dev/dm-7"/>');
  expect(await command(args)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('hint: Connect it first') as unknown,
  });
  await command(CONNECT);
  const { stdout } = await command([...args, '--json']);
  expect(JSON.parse(stdout)).toEqual({
    device: '/dev/sda',
    diskXml: expect.stringContaining('<source dev="/dev/sda"/>') as unknown,
  });
});

const IFACES: readonly IfaceReport[] = [
  {
    name: 'default',
    transport: 'tcp',
    hwaddress: undefined,
    ipaddress: undefined,
    netIfacename: undefined,
    builtIn: true,
    usable: true,
    code: undefined,
    reason: undefined,
    findings: [],
  },
  {
    name: 'cxgb4i.00:07:43:12:34:56',
    transport: 'cxgb4i',
    hwaddress: '00:07:43:12:34:56',
    ipaddress: undefined,
    netIfacename: 'eth2',
    builtIn: false,
    usable: false,
    code: 'MODULE_NOT_LOADED',
    reason: 'the kernel module cxgb4i is not loaded',
    findings: [
      {
        iface: 'cxgb4i.00:07:43:12:34:56',
        code: 'NET_DEVICE_NOT_THERE',
        reason: 'there is no network device eth2',
        hint: 'iscsiadm -m iface -I cxgb4i.00:07:43:12:34:56 -o delete',
      },
    ],
  },
];

test('ifaces prints a table, and with --json everything', async () => {
  const command = cli({ ifaces: IFACES });
  expect((await command(['ifaces'])).stdout).toBe(
    [
      'IFACE                     TRANSPORT  HWADDRESS          IPADDRESS  NET   USABLE',
      'default                   tcp        -                  -          -     yes',
      'cxgb4i.00:07:43:12:34:56  cxgb4i     00:07:43:12:34:56  -         ' +
        ' eth2  no: the kernel module cxgb4i is not loaded',
      '',
      'Records that do not fit the hardware:',
      'cxgb4i.00:07:43:12:34:56  NET_DEVICE_NOT_THERE  there is no network device eth2',
      '                                                iscsiadm -m iface -I cxgb4i.00:07:43:12:34:56 -o delete',
      '',
    ].join('\n'),
  );
  expect(documentOf(await command(['ifaces', '--json']))).toMatchObject({
    ifaces: [
      { name: 'default', hwaddress: null, usable: true, code: null, reason: null, findings: [] },
      {
        name: 'cxgb4i.00:07:43:12:34:56',
        netIfacename: 'eth2',
        usable: false,
        code: 'MODULE_NOT_LOADED',
        findings: [{ code: 'NET_DEVICE_NOT_THERE', reason: 'there is no network device eth2' }],
      },
    ],
  });
});

test('libvirt-volume reports a failure as one line and a hint on stderr, exit status 1', async () => {
  const driver = new FakeVolumeDriver({ unreachable: [VOLUME.data.target_iqn] });
  expect(await cli({ driver })(CONNECT)).toEqual({
    status: 1,
    stdout: '',
    stderr:
      'libvirt-volume: Cannot reach the target iqn.2010-10.org.openstack:volume-1: connection refused\nhint: Check ' +
      'that the target is up\n',
  });
});

test('libvirt-volume --json reports a failure as one document with code, message, hint and details', async () => {
  const driver = new FakeVolumeDriver({ unreachable: [VOLUME.data.target_iqn] });
  const result = await cli({ driver })([...CONNECT, '--json']);
  expect(documentOf(result)).toEqual({
    error: {
      code: 'PORTAL_UNREACHABLE',
      message: 'Cannot reach the target iqn.2010-10.org.openstack:volume-1: connection refused',
      hint: 'Check that the target is up',
      target: 'iqn.2010-10.org.openstack:volume-1',
    },
  });
  expect(result).toMatchObject({ status: 1, stderr: '' });
});

test.each([
  ['no command', [], 'No command is given'],
  ['an unknown command', ['conect'], "unknown command 'conect'"],
  ['an unknown option', [...CONNECT, '--forse'], "unknown option '--forse'"],
  ['a missing option', ['connect'], '--connection-info <FILE>'],
  ['a bus that does not exist', [...ATTACH.slice(0, -1), 'xen'], 'xen'],
  ['one argument too many', ['ifaces', 'more'], 'too many arguments'],
  ['a domain that is none', ['attach', 'a/b', ...ATTACH.slice(2)], 'as a domain'],
  ['stdin twice', ['disk-xml', '--connection-info', '-', '--disk-info', '-'], 'stdin twice'],
  ['stdin for the volume and its passphrase', [...ATTACH, '--passphrase-file', '-'], 'stdin twice'],
  [
    'a passphrase file that is not there',
    [...ATTACH, '--passphrase-file', '/nonexistent'],
    'Cannot read the file /nonexistent',
  ],
  [
    'a file that is not there',
    ['connect', '--connection-info', '/nonexistent.json'],
    'Cannot read the file /nonexistent.json',
  ],
])('libvirt-volume reports wrong usage in both forms, exit status 2: %s', async (_what, args, words) => {
  const people = await cli()(args);
  expect(people).toMatchObject({ status: 2, stdout: '' });
  expect(people.stderr).toContain(words);
  const programs = await cli()([...args, '--json']);
  expect(programs.status).toBe(2);
  expect(documentOf(programs)).toMatchObject({
    error: { code: 'USAGE', message: expect.stringContaining(words) as unknown },
  });
});

test.each([
  ['CONNECTION_INFO_INVALID', '{}'],
  ['CONNECTION_INFO_INVALID', '{"connection_info":{"driver_volume_type":"iscsi"}}'],
  ['DRIVER_UNKNOWN', '{"driver_volume_type":"rbd"}'],
  ['CONNECTION_INFO_INVALID', '{"driver_volume_type":"iscsi","data":{}}'],
])('%s is exit status 2: %s', async (code, stdin) => {
  const result = await cli()([...CONNECT, '--json'], stdin);
  expect(result.status).toBe(2);
  expect(documentOf(result)).toMatchObject({ error: { code } });
});

test('libvirt-volume reports malformed JSON by its place, without its text, exit status 2', async () => {
  const result = await cli()(CONNECT, '{\n  "auth_password": "geheim",\n  "lun": geheim\n}');
  expect(result).toEqual({
    status: 2,
    stdout: '',
    stderr: 'libvirt-volume: Cannot read stdin as JSON: it goes wrong at line 3, column 10\n',
  });
});

test('libvirt-volume with an unusable config file ends with exit status 2', async () => {
  const result = await cli({ env: { LIBVIRT_VOLUME_CONFIG: '/nonexistent.toml' } })([...CONNECT, '--json']);
  expect(documentOf(result)).toMatchObject({ error: { code: 'CONFIG_INVALID', origin: '/nonexistent.toml' } });
  expect(result.status).toBe(2);
});

test('--help of every command shows its options, the common ones and examples', async () => {
  for (const command of [
    'connect',
    'disconnect',
    'disk-xml',
    'attach',
    'detach',
    'extend',
    'swap',
    'ifaces',
    'doctor',
  ]) {
    const { status, stdout } = await cli()([command, '--help']);
    expect(status).toBe(0);
    for (const words of [`Usage: libvirt-volume ${command}`, '--json', '--config <FILE>', 'Examples:'])
      expect(stdout).toContain(words);
  }
});

test('--version prints the version of the package, as JSON where that is asked for', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly version: string };
  expect(await cli()(['--version'])).toMatchObject({ status: 0, stdout: `${version}\n` });
  expect(documentOf(await cli()(['--version', '--json']))).toEqual({ version });
});

test.each(['SIGINT', 'SIGTERM'])('libvirt-volume stops its work on %s, and waits until it is undone', async (name) => {
  const signals = new EventEmitter();
  const command = cli({ driver: new FakeVolumeDriver({ loginMs: 60_000 }), signals });
  const stopped = command([...CONNECT, '--json']);
  while (signals.listenerCount(name) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  signals.emit(name);
  const result = await stopped;
  expect(documentOf(result)).toMatchObject({ error: { code: 'ABORTED', message: `Stopped by ${name}` } });
  expect(result.status).toBe(1);
  expect(signals.listenerCount(name)).toBe(0);
  expect(documentOf(await command(['disconnect', '--connection-info', '-', '--json']))).toMatchObject({
    disconnected: false,
  });
});

test('libvirt-volume reports work that takes more than a second on stderr', async () => {
  const driver = new FakeVolumeDriver({ loginMs: 1200 });
  expect((await cli({ driver })([...CONNECT, '--json'])).stderr).toBe('Connecting the volume … 1 s\n');
});

test('libvirt-volume reports a programming error as INTERNAL', async () => {
  const driver = new FakeVolumeDriver();
  driver.connect = () => Promise.reject(new TypeError('x is not a function'));
  const result = await cli({ driver })([...CONNECT, '--json']);
  expect(result.status).toBe(1);
  expect(documentOf(result)).toEqual({
    error: { code: 'INTERNAL', message: expect.stringContaining('x is not a function') as unknown, hint: null },
  });
});
