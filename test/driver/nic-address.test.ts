import { expect, test } from '@jest/globals';
import { CARDS } from '../hardware/cards/index.js';
import { SysfsTree } from '../hardware/sysfs-tree.js';
import { addTarget, infoFor, openRecordedWorld, type RecordedWorld } from './recorded-world.js';

const MAC = CARDS.BROADCOM_57810.mac;
/** The first port of the card, as the host's network has it. */
const NIC = '10.6.0.5';

function open(config: object): RecordedWorld {
  const world = openRecordedWorld({ iscsi_iface: config }, undefined, [
    { netdev: 'enp6s0f0', address: NIC, prefix: 24 },
    { netdev: 'enp6s0f1', address: '10.6.1.5', prefix: 24 },
  ]);
  const tree = new SysfsTree(world.host);
  CARDS.BROADCOM_57810.plug(tree);
  CARDS.BROADCOM_57810.load(tree);
  tree.startIscsiuio();
  addTarget(world, [{ address: '10.6.0.10', port: 3260, serves: 'tcp' }]);
  return world;
}

const INFO = infoFor(['10.6.0.10:3260']);

test('connect() with the ipaddress of a NIC of a bnx2i card uses tcp, bound to the NIC, with a warning', async () => {
  const world = open({ ipaddress: NIC });
  const { transport, warnings } = await world.driver.connect(INFO);
  expect([transport.used, warnings]).toEqual([
    'libvirt-volume.tcp.enp6s0f0',
    [expect.stringMatching(/10\.6\.0\.5 is that of the network device enp6s0f0.*the bnx2i HBA of that card needs/)],
  ]);
});

test('connect() makes no bnx2i iface with the address of a NIC: it falls back to tcp, with a warning', async () => {
  const world = open({ transport: 'bnx2i', hwaddress: MAC, ipaddress: NIC });
  const { transport } = await world.driver.connect(INFO);
  expect(transport).toMatchObject({
    used: 'default',
    fallback: { code: 'IPADDRESS_TAKEN', reason: expect.stringContaining('bnx2i needs one of its own') as unknown },
  });
  expect(world.host.residue().filter((line) => line.includes('/ifaces/'))).toEqual([]);
});

test('connect() over a bnx2i iface with an address of its own uses the card', async () => {
  const world = open({ transport: 'bnx2i', hwaddress: MAC, ipaddress: '10.6.0.77' });
  expect((await world.driver.connect(INFO)).transport).toMatchObject({ fallback: undefined });
});
