import { expect, test } from '@jest/globals';
import { HostIfaceReports } from '../../src/preflight/host-iface-reports.js';
import { CARDS } from '../hardware/cards/index.js';
import { plugConnectX } from '../hardware/cards/rdma.js';
import { SysfsTree } from '../hardware/sysfs-tree.js';
import { fakeDatabase } from '../fakes/fake-database.js';

const NEVER = new AbortController().signal;

async function reasons(tree: SysfsTree): Promise<Readonly<Record<string, string | undefined>>> {
  return Object.fromEntries(
    (await new HostIfaceReports({ files: tree.files, database: fakeDatabase(tree.host) }).list(NEVER)).map(
      ({ name, usable, reason }) => [name, usable ? 'usable' : reason],
    ),
  );
}

test('HostIfaceReports.list() gives the reason and its remedy, and the broken record', async () => {
  const tree = new SysfsTree();
  CARDS.CHELSIO_T5.plug(tree);
  plugConnectX(tree);
  tree.host.tree.write(
    '/etc/iscsi/ifaces/chelsio',
    'iface.transport_name = cxgb4i\niface.hwaddress = 00:07:43:04:AA:BB\n',
  );
  tree.host.tree.write('/etc/iscsi/ifaces/damaged', 'nonsense\n');
  expect(await reasons(tree)).toEqual({
    chelsio: 'hardware is present (1425:5401 at 0000:04:00.4) and its module cxgb4i is not loaded: modprobe cxgb4i',
    damaged: 'Cannot use the iface damaged: open-iscsi takes no line of its record',
    default: 'usable',
    iser: 'usable',
  });
});

test('HostIfaceReports.list() reports a record of any name and transport, such as qedi (R109)', async () => {
  const tree = new SysfsTree();
  const card = CARDS.QLOGIC_FASTLINQ;
  card.plug(tree);
  card.load(tree);
  tree.startIscsiuio();
  tree.host.tree.write(
    '/etc/iscsi/ifaces/storage_port-1',
    `iface.transport_name = qedi\niface.hwaddress = ${card.mac}\niface.ipaddress = 10.11.0.77\n`,
  );
  expect(await reasons(tree)).toMatchObject({ 'storage_port-1': 'usable' });
});

test('HostIfaceReports.list() rejects with ABORTED when the signal aborts', async () => {
  const { files, host } = new SysfsTree();
  await expect(
    new HostIfaceReports({ files, database: fakeDatabase(host) }).list(AbortSignal.abort()),
  ).rejects.toMatchObject({ code: 'ABORTED' });
});
