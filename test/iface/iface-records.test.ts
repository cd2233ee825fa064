import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseIfaceName } from '../../src/iface/iface-name.js';
import { IfaceRecords } from '../../src/iface/iface-records.js';
import { ifaceRecord, nameIface, type NewIface } from '../../src/iface/name-iface.js';
import { parseIface } from '../../src/iface/parse-iface.js';
import { TRANSPORTS } from '../../src/hardware/transport.js';
import { FakeClock } from '../fakes/fake-clock.js';
import { FakeHost } from '../fakes/fake-host.js';
import { fakeDatabase } from '../fakes/fake-database.js';

const CARD: NewIface = {
  transport: 'cxgb4i',
  hwaddress: '00:07:43:04:aa:bb',
  ipaddress: undefined,
  netIfacename: undefined,
};
const NEVER = new AbortController().signal;

describe('nameIface()', () => {
  test.each<readonly [NewIface, string]>([
    [CARD, 'libvirt-volume.cxgb4i.00074304aabb'],
    [{ ...CARD, ipaddress: '10.4.0.5' }, 'libvirt-volume.cxgb4i.00074304aabb.10.4.0.5'],
    [{ ...CARD, ipaddress: 'fd00:4::5' }, 'libvirt-volume.cxgb4i.00074304aabb.fd00:4::5'],
    [{ ...CARD, vlan: 7 }, 'libvirt-volume.cxgb4i.00074304aabb.vlan:7'],
    [
      { transport: 'tcp', hwaddress: undefined, ipaddress: undefined, netIfacename: 'eth0.7' },
      'libvirt-volume.tcp.eth0.7',
    ],
    [{ transport: 'tcp', hwaddress: undefined, ipaddress: undefined, netIfacename: '..' }, 'libvirt-volume.tcp._2e_2e'],
  ])('nameIface() gives %j', (parts, name) => {
    expect(nameIface(parts)).toBe(name);
  });

  test('nameIface() gives a valid name, the same for the same values and another for others', () => {
    const hex = fc.integer({ min: 0, max: 255 }).map((byte) => byte.toString(16).padStart(2, '0'));
    const mac = fc.array(hex, { minLength: 6, maxLength: 6 }).map((bytes) => bytes.join(':'));
    const device = fc.string({ minLength: 1, maxLength: 15 }).filter((text) => !/[\s/:]/.test(text));
    const optional = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
      fc.option(value, { nil: undefined });
    const parts = fc.record({
      transport: fc.constantFrom(...TRANSPORTS),
      hwaddress: optional(mac),
      ipaddress: optional(fc.oneof(fc.ipV4(), fc.ipV6())),
      netIfacename: optional(device),
      initiatorname: optional(fc.string({ minLength: 1 })),
      vlan: optional(fc.nat(4094)),
    });
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        expect(parseIfaceName(nameIface(one))).toBe(nameIface({ ...one }));
        expect(nameIface(one) === nameIface(other)).toBe(JSON.stringify(one) === JSON.stringify(other));
      }),
    );
  });
});

describe('IfaceRecords', () => {
  test('IfaceRecords.put() makes a record that reads back as intended, once', async () => {
    const { host, records } = world();
    const record = ifaceRecord({ ...CARD, ipaddress: '10.4.0.5', initiatorname: 'iqn.2026-11.org.example:host' });
    expect(await records.put(record, NEVER)).toEqual({ kind: 'created', name: record.name });
    const path = `/etc/iscsi/ifaces/${record.name}`;
    expect(parseIface(record.name, host.tree.read(path) ?? '')).toEqual(record);
    expect(host.tree.read(path)).toContain('# Made by libvirt-volume-drivers\n');
    expect(await records.put(record, NEVER)).toEqual({ kind: 'unchanged' });
    expect(host.residue()).toEqual([path]);
  });

  test('IfaceRecords.put() never resets an existing record with other values', async () => {
    const { host, records } = world();
    const record = ifaceRecord(CARD);
    const path = `/etc/iscsi/ifaces/${record.name}`;
    const theirs = 'iface.transport_name = cxgb4i\niface.hwaddress = 00:07:43:04:aa:bb\niface.ipaddress = 10.9.9.9\n';
    host.tree.write(path, theirs);
    await expect(records.put(record, NEVER)).rejects.toMatchObject({ code: 'IFACE_UNUSABLE' });
    expect(host.tree.read(path)).toBe(theirs);
  });

  test('IfaceRecords.put() keeps a record that open-iscsi has rewritten with its own keys', async () => {
    const { host, records } = world();
    const record = ifaceRecord(CARD);
    host.tree.write(
      `/etc/iscsi/ifaces/${record.name}`,
      `iface.iscsi_ifacename = ${record.name}\niface.transport_name = cxgb4i\niface.hwaddress = ` +
        `00:07:43:04:aa:bb\niface.vlan_id = 0\niface.mtu = 0\n`,
    );
    expect(await records.put(record, NEVER)).toEqual({ kind: 'unchanged' });
  });

  test('IfaceRecords.put() reports a damaged record in its way', async () => {
    const { host, records } = world();
    const record = ifaceRecord(CARD);
    host.tree.write(`/etc/iscsi/ifaces/${record.name}`, 'what is this\n');
    await expect(records.put(record, NEVER)).rejects.toMatchObject({ code: 'IFACE_UNUSABLE' });
    expect(host.tree.read(`/etc/iscsi/ifaces/${record.name}`)).toBe('what is this\n');
  });

  test('IfaceRecords.put() reports a record that reads back as another', async () => {
    const { host, records } = world();
    host.replace = async (path) => {
      host.tree.write(path, 'iface.transport_name = tcp\n');
    };
    await expect(records.put(ifaceRecord(CARD), NEVER)).rejects.toMatchObject({ code: 'DATABASE_FAILED' });
  });

  test("IfaceRecords.put() waits for open-iscsi's database lock, and names its holder", async () => {
    const { host, records } = world();
    host.tree.write('/run/lock/iscsi/lock.write', '');
    await expect(records.put(ifaceRecord(CARD), NEVER)).rejects.toMatchObject({ code: 'DATABASE_LOCKED' });
    expect(host.residue()).toEqual(['/run/lock/iscsi/lock.write']);
  });

  test('IfaceRecords.remove() removes what put() made, and is quiet when it is gone', async () => {
    const { host, records } = world();
    const record = ifaceRecord(CARD);
    await records.put(record, NEVER);
    expect(await records.remove(record.name, NEVER)).toBe(true);
    expect(await records.remove(record.name, NEVER)).toBe(false);
    expect(host.residue()).toEqual([]);
  });

  test('IfaceRecords.remove() refuses an unmanaged record, with the command that removes it', async () => {
    const { host, records } = world();
    host.tree.write('/etc/iscsi/ifaces/theirs', 'iface.transport_name = tcp\n');
    await expect(records.remove(parseIfaceName('theirs'), NEVER)).rejects.toMatchObject({
      code: 'IFACE_UNUSABLE',
      hint: 'iscsiadm -m iface -I theirs >> /root/iface-theirs && iscsiadm -m iface -I theirs -o delete',
    });
    expect(host.tree.read('/etc/iscsi/ifaces/theirs')).toBeDefined();
  });

  test('IfaceRecords.remove() refuses while a session uses the iface', async () => {
    const { host, records } = world();
    const record = ifaceRecord(CARD);
    await records.put(record, NEVER);
    host.tree.write('/sys/class/iscsi_session/session4/ifacename', `${record.name}\n`);
    await expect(records.remove(record.name, NEVER)).rejects.toMatchObject({
      code: 'IFACE_UNUSABLE',
      details: { sessions: ['session4'] },
    });
    expect(host.tree.read(`/etc/iscsi/ifaces/${record.name}`)).toBeDefined();
  });
});

function world(): { readonly host: FakeHost; readonly records: IfaceRecords } {
  const clock = new FakeClock();
  const host = new FakeHost({ clock });
  return { host, records: new IfaceRecords({ files: host, database: fakeDatabase(host) }) };
}
