import { expect, test } from '@jest/globals';
import { SYSTEM_NET_ADDRESSES } from '../../src/host/node/system-net-addresses.js';
import { readHardware } from '../../src/hardware/read-hardware.js';
import { CARDS } from './cards/index.js';
import { plugConnectX, plugInfiniBand, plugSoftRoce } from './cards/rdma.js';
import { SysfsTree } from './sysfs-tree.js';

test('readHardware() reads a two-port Chelsio card: one function, two devices, two HBAs', async () => {
  const tree = new SysfsTree();
  CARDS.CHELSIO_T5.plug(tree);
  CARDS.CHELSIO_T5.load(tree);
  const hardware = await tree.hardware();
  expect([...hardware.transports]).toEqual(['cxgb4i']);
  expect([...hardware.loadedModules]).toEqual(['cxgb4i']);
  expect(hardware.loadableModules.has('qedi')).toBe(true);
  expect(hardware.loadableModules.has('ocs')).toBe(false);
  expect(hardware.pci).toContainEqual({ address: '0000:04:00.4', vendor: '1425', device: '5401', driver: 'cxgb4' });
  expect(hardware.hosts).toEqual([
    {
      host: 5,
      transport: 'cxgb4i',
      hwaddress: '00:07:43:04:aa:bb',
      ipaddress: undefined,
      ifaceAddresses: [],
      netdev: 'enp4s0f4',
      pciAddress: '0000:04:00.4',
    },
    {
      host: 6,
      transport: 'cxgb4i',
      hwaddress: '00:07:43:04:aa:bc',
      ipaddress: undefined,
      ifaceAddresses: [],
      netdev: 'enp4s0f4d1',
      pciAddress: '0000:04:00.4',
    },
  ]);
  expect(hardware.netDevices).toContainEqual({
    name: 'enp4s0f4',
    hwaddress: '00:07:43:04:aa:bb',
    pciAddress: '0000:04:00.4',
    driver: 'cxgb4',
    addresses: ['10.4.0.5', '10.4.0.6', 'fd00:4::5'],
    subnets: ['10.4.0.5/24', '10.4.0.6/24', 'fd00:4::5/64'],
    lower: [],
  });
});

test('readHardware() finds the cards of a kernel without the overview of PCI', async () => {
  const tree = new SysfsTree();
  CARDS.QLOGIC_FASTLINQ.plug(tree);
  const { pci } = await tree.hardware();
  expect(pci.map(({ address, driver }) => [address, driver])).toEqual([
    ['0000:0b:00.4', undefined],
    ['0000:0b:00.5', undefined],
  ]);
  tree.host.tree.remove('/proc/bus/pci/devices');
  expect((await tree.hardware()).pci).toEqual(pci);
});

test('readHardware() reads software hosts without a function, by the transport behind iscsi_', async () => {
  const tree = new SysfsTree();
  // libiscsi.c, iscsi_host_get_param
  tree.iscsiHost({ host: 2, procName: 'iscsi_tcp', mac: '(null)', ip: '(null)', netdev: '(null)' });
  expect((await tree.hardware()).hosts).toEqual([
    {
      host: 2,
      transport: 'tcp',
      hwaddress: undefined,
      ipaddress: undefined,
      ifaceAddresses: [],
      netdev: undefined,
      pciAddress: undefined,
    },
  ]);
});

test("readHardware() reads the addresses of an HBA's interfaces, in one spelling, when asked", async () => {
  const tree = new SysfsTree();
  CARDS.QLOGIC_4032.plug(tree);
  CARDS.QLOGIC_4032.load(tree);
  expect((await tree.hardware()).hosts.map(({ ifaceAddresses }) => ifaceAddresses)).toEqual([
    ['10.8.1.9', 'fd00:8:1::9'],
    ['10.8.3.9', 'fd00:8:3::9'],
  ]);
  expect(
    (await readHardware(tree.files, [])).hosts.map(({ ipaddress, ifaceAddresses }) => [ipaddress, ifaceAddresses]),
  ).toEqual([
    ['10.8.1.9', []],
    ['10.8.3.9', []],
  ]);
});

test('readHardware() reads what VLANs and bonds stand on, and leaves out bonding_masters', async () => {
  const tree = new SysfsTree();
  plugConnectX(tree);
  tree.host.tree.write('/sys/class/net/bonding_masters', 'bond0\n');
  tree.netDevice({ name: 'bond0', mac: '0c:42:a1:0c:00:00', lower: ['enp12s0f0np0', 'enp12s0f1np1'] });
  tree.netDevice({ name: 'bond0.7', mac: '0c:42:a1:0c:00:00', lower: ['bond0'] });
  const { netDevices } = await tree.hardware();
  expect(netDevices.map(({ name, lower }) => [name, lower])).toEqual([
    ['bond0', ['enp12s0f0np0', 'enp12s0f1np1']],
    ['bond0.7', ['bond0']],
    ['enp12s0f0np0', []],
    ['enp12s0f1np1', []],
    ['lo', []],
  ]);
});

test("readHardware() finds the device of an RDMA port by its GID, by soft RoCE's parent, or not at all", async () => {
  const tree = new SysfsTree();
  plugConnectX(tree, ['4: ACTIVE', '1: DOWN']);
  plugSoftRoce(tree);
  plugInfiniBand(tree);
  expect((await tree.hardware()).rdmaPorts).toEqual([
    { device: 'mlx4_0', port: 1, active: true, netdev: undefined },
    { device: 'mlx5_0', port: 1, active: true, netdev: 'enp12s0f0np0' },
    { device: 'mlx5_1', port: 1, active: false, netdev: 'enp12s0f1np1' },
    { device: 'rxe0', port: 1, active: true, netdev: 'rdma0' },
  ]);
});

test('readHardware() sees iscsiuio by its socket', async () => {
  const tree = new SysfsTree();
  expect((await tree.hardware()).iscsiuioRuns).toBe(false);
  tree.startIscsiuio();
  expect((await tree.hardware()).iscsiuioRuns).toBe(true);
});

test('readHardware() counts a built-in module as loadable', async () => {
  const tree = new SysfsTree();
  tree.installModules([]);
  tree.host.tree.write('/lib/modules/6.1.0-56-amd64/modules.builtin', 'kernel/drivers/scsi/iscsi_tcp.ko\n');
  expect([...(await tree.hardware()).loadableModules]).toEqual(['iscsi_tcp']);
});

test('SYSTEM_NET_ADDRESSES lists the loopback address with its prefix', () => {
  expect(SYSTEM_NET_ADDRESSES.list()).toContainEqual({ netdev: 'lo', address: '127.0.0.1', prefix: 8 });
});
