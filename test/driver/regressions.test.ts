import { describe, expect, test } from '@jest/globals';
import { readOptions } from '../../src/config/read-options.js';
import { LibvirtISCSIVolumeDriver } from '../../src/driver/libvirt-iscsi-volume-driver.js';
import type { VolumeDriver } from '../../src/driver/volume-driver.js';
import { parseIfaceName } from '../../src/iface/iface-name.js';
import { parseIfaceList } from '../../src/iface/parse-iface-list.js';
import { TRANSPORTS } from '../../src/hardware/transport.js';
import { CARDS } from '../hardware/cards/index.js';
import { SysfsTree } from '../hardware/sysfs-tree.js';
import { captured } from '../initiator/captured.js';
import { addTarget, infoFor, IQN, openRecordedWorld, type RecordedWorld } from './recorded-world.js';
import { comesAndGoes, INFO, logins, NODE, TCP } from './regression-world.js';
import { ROOT } from '../fakes/fake-release.js';

/**
 * What went wrong in other drivers of this kind, by the numbers that our tests know it by. A test in lab/scenarios/ has
 * the same number in its name where the real kernel has a say. docs/regressions.md has them all.
 */

function addIface({ host }: RecordedWorld, name: string, values: Readonly<Record<string, string>> = {}): void {
  host.tree.write(
    `${ROOT}/ifaces/${name}`,
    Object.entries({ iscsi_ifacename: name, transport_name: 'tcp', ...values })
      .map(([key, value]) => `iface.${key} = ${value}\n`)
      .join(''),
  );
}

/** Another service's driver on the same host. */
function driverOver({ parts }: RecordedWorld, iface: string): VolumeDriver {
  return new LibvirtISCSIVolumeDriver({
    ...parts,
    options: { ...parts.options, iscsiIface: [{ kind: 'name', name: parseIfaceName(iface) }] },
  });
}

describe('connect() and disconnect() over offload transports (W-1)', () => {
  test.each(Object.entries(CARDS))('connect() and disconnect() recognise a session over %s', async (_card, card) => {
    const world = openRecordedWorld({ iscsi_iface: 'card', iscsi_iface_fallback: 'none' });
    const tree = new SysfsTree(world.host);
    card.plug(tree);
    card.load(tree);
    tree.startIscsiuio();
    addIface(world, 'card', { transport_name: card.transport, hwaddress: card.mac, ipaddress: '192.0.2.77' });
    addTarget(world, [TCP]);
    await comesAndGoes(world, INFO, 'card', card.transport);
  });
});

test('connect() and disconnect() recognise a session over iSER (R17)', async () => {
  const world = openRecordedWorld({ iscsi_iface: 'iser', iscsi_iface_fallback: 'none' });
  addTarget(world, [{ ...TCP, serves: 'iser' }]);
  await comesAndGoes(world, INFO, 'iser', 'iser');
});

test.each(['[2001:DB8::A1]:3260', '[2001:0db8:0:0::00A1]:3260', '2001:DB8:0:0:0:0:0:A1'])(
  'connect() and disconnect() of an IPv6 portal spelt %s leave nothing (W-5, R16)',
  async (spelling) => {
    const world = openRecordedWorld();
    addTarget(world, [{ ...TCP, address: '2001:db8::a1' }]);
    await comesAndGoes(world, infoFor([spelling]), 'default', 'tcp');
  },
);

test('connect() finds the session of an IPv6 portal that the kernel shows in capitals (R16)', async () => {
  const world = openRecordedWorld();
  addTarget(world, []);
  const session = world.host.kernel.addSession({
    target: IQN,
    portal: { address: '2001:0DB8::00A1', port: 3260 },
    iface: 'default',
    transport: 'tcp',
  });
  expect((await world.driver.connect(infoFor(['[2001:db8::a1]:3260']))).paths[0].session).toBe(session.id);
  expect(logins(world)).toEqual([]);
});

test.each([
  ['with a tag', 'manual', `${NODE}/default`],
  ['with a tag', 'automatic', `${NODE}/default`],
  ['without a tag', 'manual', NODE.slice(0, -',1'.length)],
])(
  'connect() leaves a node record of another iface, %s, node.startup = %s, untouched (W-6)',
  async (_tag, startup, path) => {
    const world = openRecordedWorld({ iscsi_iface: 'storage0' });
    addIface(world, 'storage0');
    addTarget(world, [TCP]);
    const text = captured('nodes/new-style/10.99.1.1,3260,1/default').replace(
      /^node\.startup = .*$/m,
      `node.startup = ${startup}`,
    );
    world.host.tree.write(path, text);
    const before = await world.residue();
    await world.driver.connect(INFO);
    expect(world.host.kernel.sessions.map(({ iface }) => iface)).toEqual(['storage0']);
    expect([world.host.tree.read(path), world.host.tree.read(`${NODE}/storage0`) === undefined]).toEqual([text, false]);
    await world.driver.disconnect(INFO);
    expect([world.host.tree.read(path), await world.residue()]).toEqual([text, before]);
  },
);

describe('iface lookup at each connect() (W-7)', () => {
  test('connect() uses an iface that was made after the driver, and names all for an unknown one', async () => {
    const world = openRecordedWorld({ iscsi_iface: 'storage0' });
    addIface(world, 'other0');
    addTarget(world, [TCP]);
    await expect(world.driver.connect(INFO)).rejects.toMatchObject({
      code: 'IFACE_NOT_FOUND',
      message: 'Cannot find an iface for iscsi_iface = "storage0": this host has other0, default, iser',
    });
    addIface(world, 'storage0');
    await comesAndGoes(world, INFO, 'storage0', 'tcp');
  });

  test('connect() fails while iscsid is down, and uses no other iface then or later', async () => {
    const world = openRecordedWorld({ iscsi_iface: 'iser' });
    addTarget(world, [{ ...TCP, serves: 'iser' }]);
    world.host.iscsidRuns = false;
    await expect(world.driver.connect(INFO)).rejects.toMatchObject({ code: 'INITIATOR_UNAVAILABLE' });
    world.host.iscsidRuns = true;
    expect((await world.driver.connect(INFO)).transport).toEqual({
      requested: 'iser',
      used: 'iser',
      fallback: undefined,
    });
    expect(logins(world)).toEqual(['iser', 'iser']);
  });

  test('parseIfaceList() takes a blank line for neither an iface nor a failure', () => {
    expect(
      parseIfaceList(
        '\ndefault tcp,<empty>,<empty>,<empty>,<empty>\n\niser iser,<empty>,<empty>,<empty>,<empty>\n\n',
      ).map(({ name }) => name),
    ).toEqual(['default', 'iser']);
  });

  test('TRANSPORTS includes qedi', () => {
    expect(TRANSPORTS).toContain('qedi');
  });
});

test('connect() over two ifaces to one portal gives each session its own disk of the LUN (W-20)', async () => {
  const world = openRecordedWorld({ volume_use_multipath: true, iscsi_iface: ['storage0', 'storage1'] });
  world.host.kernel.multipathd.start();
  for (const iface of ['storage0', 'storage1']) addIface(world, iface);
  addTarget(world, [TCP]);
  const before = await world.residue();
  const { paths } = await world.driver.connect(INFO);
  expect(paths.map(({ iface }) => iface)).toEqual(['storage0', 'storage1']);
  expect([new Set(paths.map(({ session }) => session)).size, new Set(paths.map(({ disk }) => disk)).size]).toEqual([
    2, 2,
  ]);
  await world.driver.disconnect(INFO);
  expect(await world.residue()).toEqual(before);
});

test('connect() over a second iface reuses the session of the first: two unmapped disks would corrupt', async () => {
  const world = openRecordedWorld({ iscsi_iface: 'storage0' });
  for (const iface of ['storage0', 'storage1']) addIface(world, iface);
  addTarget(world, [TCP]);
  const { device } = await world.driver.connect(INFO);
  const again = await driverOver(world, 'storage1').connect(INFO);
  expect({ device: again.device, transport: again.transport }).toEqual({
    device,
    transport: {
      requested: 'storage1',
      used: 'storage0',
      fallback: { code: 'TRANSPORT_UNAVAILABLE', reason: 'the volume was connected over storage0 before' },
    },
  });
});

test.each([
  'cxgb4i.00:07:43:12:34:56',
  'cxgb4i.00:07:43:12:34:56.ipv4.0',
  'qedi.00:0e:1e:aa:bb:cc.ipv6.0',
  'be2iscsi.00:90:fa:09:00:00.ipv4.0',
  'iface0',
  'storage_net',
  'p1p1.100',
])('iscsi_iface = "%s" is valid: an iface has the name that its host gave it (R109)', (name) => {
  expect(readOptions({ libvirt: { iscsi_iface: name } }, 'test.toml').iscsiIface).toEqual([{ kind: 'name', name }]);
});

describe('iscsi_iface names an iface, not a transport (R110)', () => {
  test("connect() over a transport's name that is no iface names the ifaces, and tries nothing over TCP", async () => {
    const world = openRecordedWorld({ iscsi_iface: 'cxgb4i' });
    addTarget(world, [TCP]);
    await expect(world.driver.connect(INFO)).rejects.toMatchObject({
      code: 'IFACE_NOT_FOUND',
      message: expect.stringContaining('"cxgb4i": this host has default, iser') as unknown,
    });
    expect(world.host.commands).toEqual([]);
  });

  test('connect() over an iface of an absent card falls back to TCP, with a warning', async () => {
    const world = openRecordedWorld({ iscsi_iface: 'fast' });
    addIface(world, 'fast', { transport_name: 'qedi', hwaddress: '00:0e:1e:aa:bb:cc', ipaddress: '192.0.2.77' });
    addTarget(world, [TCP]);
    expect((await world.driver.connect(INFO)).transport).toMatchObject({
      requested: 'fast',
      used: 'default',
      fallback: { code: 'NO_HARDWARE' },
    });
    expect(logins(world)).toEqual(['default']);
  });

  test('readOptions() refuses the option iscsi_transport', () => {
    expect(() => readOptions({ libvirt: { iscsi_transport: 'cxgb4i' } }, 'test.toml')).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining('iscsi_transport') as unknown,
      }),
    );
  });
});
