import { expect, test } from '@jest/globals';
import { FakeClock } from '../../fakes/fake-clock.js';
import { FakeHost } from '../../fakes/fake-host.js';
import { CARDS } from '../../hardware/cards/index.js';
import { SysfsTree } from '../../hardware/sysfs-tree.js';
import { cli } from '../cli-fixture.js';

const CREATE = ['ifaces', 'create', '--transport', 'cxgb4i', '--hwaddress', '00:07:43:AA:BB:CC'];

test('ifaces create makes a record under a name of its own', async () => {
  const { status, stdout } = await cli()([...CREATE, '--ipaddress', '192.0.2.7', '--json']);
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    created: true,
    iface: { name: 'libvirt-volume.cxgb4i.000743aabbcc.192.0.2.7' },
  });
});

test.each([
  [
    ['--transport', 'tcp', '--net-ifacename', 'eth1.20'],
    'libvirt-volume.tcp.eth1.20',
    ['iface.net_ifacename = eth1.20'],
  ],
  [
    ['--transport', 'qedi', '--hwaddress', '00:0E:1E:12:34:56', '--ipaddress', 'FD00:0:0::7', '--vlan', '7'],
    'libvirt-volume.qedi.000e1e123456.fd00::7.vlan:7',
    [
      'iface.hwaddress = 00:0e:1e:12:34:56',
      'iface.ipaddress = fd00::7',
      'iface.vlan_id = 7',
      'iface.vlan_state = enable',
    ],
  ],
])('ifaces create %j writes all given values', async (args, name, lines) => {
  const host = new FakeHost({ clock: new FakeClock() });
  expect((await cli({ host })(['ifaces', 'create', ...args])).stdout).toBe(`Made ${name}\n`);
  for (const line of lines) expect(host.tree.read(`/etc/iscsi/ifaces/${name}`)).toContain(`${line}\n`);
});

test('ifaces create gives an iface an initiator name, and a record of its own for it', async () => {
  const command = cli();
  const made = await command([...CREATE, '--initiatorname', 'iqn.2026-11.org.example:storage', '--json']);
  expect(JSON.parse(made.stdout)).toMatchObject({
    created: true,
    iface: { name: expect.stringMatching(/^libvirt-volume\.cxgb4i\.000743aabbcc\.iqn:/) as unknown },
  });
  expect(JSON.parse((await command([...CREATE, '--json'])).stdout)).toMatchObject({
    created: true,
    iface: { name: 'libvirt-volume.cxgb4i.000743aabbcc' },
  });
});

test('ifaces create of an existing record changes nothing, and ifaces delete removes it', async () => {
  const command = cli();
  expect((await command(CREATE)).stdout).toBe('Made libvirt-volume.cxgb4i.000743aabbcc\n');
  expect((await command(CREATE)).stdout).toBe('Nothing to do: libvirt-volume.cxgb4i.000743aabbcc is there\n');
  expect((await command(['ifaces', 'delete', 'libvirt-volume.cxgb4i.000743aabbcc'])).stdout).toBe(
    'Removed libvirt-volume.cxgb4i.000743aabbcc\n',
  );
  expect((await command(['ifaces', 'delete', 'libvirt-volume.cxgb4i.000743aabbcc'])).stdout).toBe(
    'Nothing to do: there is no record libvirt-volume.cxgb4i.000743aabbcc\n',
  );
});

test.each([
  [
    'a transport that there is not',
    ['ifaces', 'create', '--transport', 'fcoe', '--hwaddress', '00:07:43:aa:bb:cc'],
    '"fcoe"',
  ],
  ['a MAC address that is none', ['ifaces', 'create', '--transport', 'qedi', '--hwaddress', '00:07:43'], '"00:07:43"'],
  ['an address that is none', [...CREATE, '--ipaddress', '192.0.2.256'], '"192.0.2.256"'],
  ['no hwaddress', ['ifaces', 'create', '--transport', 'qedi'], '--hwaddress'],
  ['a device with a blank', ['ifaces', 'create', '--transport', 'tcp', '--net-ifacename', 'eth 0'], '"eth 0"'],
  ['a device that is a folder', ['ifaces', 'create', '--transport', 'tcp', '--net-ifacename', '..'], '".."'],
  [
    'a device and a MAC for tcp, of which open-iscsi would ignore one',
    ['ifaces', 'create', '--transport', 'tcp', '--hwaddress', '00:07:43:aa:bb:cc', '--net-ifacename', 'eth0'],
    'Give one of them',
  ],
  [
    'a VLAN for tcp',
    ['ifaces', 'create', '--transport', 'tcp', '--net-ifacename', 'eth0', '--vlan', '7'],
    "VLAN's device as --net-ifacename",
  ],
  ['VLAN 0', [...CREATE, '--vlan', '0'], '"0"'],
  ['VLAN 4095', [...CREATE, '--vlan', '4095'], '"4095"'],
  ['a VLAN in hexadecimal', [...CREATE, '--vlan', '0x7'], '"0x7"'],
  [
    'an initiator name that is none',
    [...CREATE, '--initiatorname', 'iqn.2026-13.org.example:x'],
    '"iqn.2026-13.org.example:x" as an initiator name',
  ],
  [
    'an initiator name of two lines',
    [...CREATE, '--initiatorname', 'iqn.2026-11.org.example:x\niface.transport_name = tcp'],
    'as an initiator name',
  ],
  ['a name that leaves the folder', ['ifaces', 'delete', '../nodes'], '"../nodes"'],
])('ifaces refuses %s with exit status 2', async (_what, args, words) => {
  const { status, stderr } = await cli()(args);
  expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(words) as unknown });
});

test.each(['', '.ipv4.0'] as const)(
  'ifaces generate lists open-iscsi\'s new ifaces, named with "%s" behind the MAC, once',
  async (naming) => {
    const tree = new SysfsTree();
    const card = CARDS.QLOGIC_FASTLINQ;
    card.plug(tree);
    card.load(tree);
    tree.host.ifaceNaming = naming;
    const command = cli({ host: tree.host });
    const first = JSON.parse((await command(['ifaces', 'generate', '--json'])).stdout) as {
      readonly made: readonly string[];
    };
    expect(first).toMatchObject({ differences: [], warnings: [] });
    expect(first.made).toContain(`qedi.${card.mac}${naming}`);
    expect(first).toMatchObject({
      ifaces: expect.arrayContaining([
        expect.objectContaining({
          name: `qedi.${card.mac}${naming}`,
          usable: false,
          code: 'NO_IPADDRESS',
          findings: [expect.objectContaining({ code: 'IPADDRESS_MISSING' })],
        }),
      ]) as unknown,
    });
    expect(JSON.parse((await command(['ifaces', 'generate', '--json'])).stdout)).toMatchObject({
      made: [],
      differences: [],
    });
    expect((await command(['ifaces', 'generate'])).stdout).toMatch(/^Nothing is new\n\nIFACE {2}/);
  },
);

test('ifaces reads files only, and makes no record for a card that has none', async () => {
  const tree = new SysfsTree();
  CARDS.QLOGIC_4032.plug(tree);
  CARDS.QLOGIC_4032.load(tree);
  const { stdout } = await cli({ host: tree.host })(['ifaces', '--json']);
  expect(
    (JSON.parse(stdout) as { readonly ifaces: readonly { readonly name: string }[] }).ifaces.map(({ name }) => name),
  ).toEqual(['default', 'iser']);
  expect(tree.host.commands).toEqual([]);
});
