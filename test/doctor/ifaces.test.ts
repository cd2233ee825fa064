import { describe, expect, test } from '@jest/globals';
import { CARDS } from '../hardware/cards/index.js';
import { captured } from '../initiator/captured.js';
import { DoctorHost } from './doctor-host.js';

const T5 = CARDS.CHELSIO_T5;
const FASTLINQ = CARDS.QLOGIC_FASTLINQ;
const NO_CARD = 'no cxgb4i card is in this host';
const chelsio = { transport: 'cxgb4i', hwaddress: '00:07:43:12:34:56' };
const NAME = 'libvirt-volume.cxgb4i.000743123456';

describe('the ifaces of iscsi_iface', () => {
  test('examine() of an iface of an absent card warns of the fallback, and errs without one', async () => {
    const host = new DoctorHost();
    expect(await host.problems({ iscsi_iface: chelsio })).toEqual([
      `warning IFACE_FALLS_BACK volumes will go over TCP and not over cxgb4i: the iface ${NAME} cannot be used: ` +
        `${NO_CARD} | no command`,
    ]);
    expect(await host.problems({ iscsi_iface: chelsio, iscsi_iface_fallback: 'none' })).toEqual([
      `error IFACE_UNUSABLE the iface ${NAME} cannot be used: ${NO_CARD} | no command`,
    ]);
  });

  test('examine() of a fallback that is unusable too finds an error', async () => {
    const host = new DoctorHost();
    host.sysfs.installModules([]);
    expect(await host.problems({ iscsi_iface: chelsio })).toEqual([
      `error IFACE_UNUSABLE the iface ${NAME} cannot be used: ${NO_CARD}; nor can default, its fallback: the ` +
        'kernel has no module iscsi_tcp | no command',
    ]);
  });

  test('examine() names a module that is not loaded, with the command that loads it', async () => {
    const host = new DoctorHost();
    T5.plug(host.sysfs);
    expect(
      await host.problems({ iscsi_iface: { transport: 'cxgb4i', hwaddress: T5.mac }, iscsi_iface_fallback: 'none' }),
    ).toEqual([expect.stringMatching(/^error IFACE_UNUSABLE .* its module cxgb4i is not loaded \| modprobe cxgb4i$/)]);
    T5.load(host.sysfs);
    expect(
      await host.problems({ iscsi_iface: { transport: 'cxgb4i', hwaddress: T5.mac }, iscsi_iface_fallback: 'none' }),
    ).toEqual([]);
  });

  test('examine() has a finding for each iface of a list', async () => {
    const host = new DoctorHost();
    T5.plug(host.sysfs);
    T5.load(host.sysfs);
    const findings = await host.findings({
      iscsi_iface: ['default', { transport: 'cxgb4i', hwaddress: T5.mac }, chelsio, 'nobody'],
      volume_use_multipath: true,
    });
    expect(findings.filter(({ code }) => code.startsWith('IFACE')).map(({ code }) => code)).toEqual([
      'IFACE_NOT_FOUND',
      'IFACE_FALLS_BACK',
      'IFACE_USABLE',
      'IFACE_USABLE',
    ]);
  });

  test('examine() expects no fallback of a tcp iface', async () => {
    const host = new DoctorHost();
    host.tree.write('/etc/iscsi/ifaces/bound', 'iface.transport_name = tcp\niface.net_ifacename = eth7\n');
    expect(await host.problems({ iscsi_iface: 'bound' })).toEqual([
      expect.stringMatching(/^error IFACE_UNUSABLE the iface bound cannot be used: .* eth7, and there is none/),
    ]);
  });

  test('examine() of an unknown iface name with a card present names the command for its record', async () => {
    const host = new DoctorHost();
    expect(await host.problems({ iscsi_iface: 'card' })).toEqual([
      'error IFACE_NOT_FOUND Cannot find an iface for iscsi_iface = "card": this host has default, iser | no command',
    ]);
    T5.plug(host.sysfs);
    T5.load(host.sysfs);
    expect(await host.problems({ iscsi_iface: 'card' })).toEqual([
      expect.stringMatching(/\| libvirt-volume ifaces generate$/),
    ]);
  });

  test.each([
    [
      '',
      'the record /etc/iscsi/ifaces/card is empty',
      'find /etc/iscsi/ifaces/card -maxdepth 0 -type f -empty -delete',
    ],
    [
      'nonsense\n',
      'Cannot use the iface card: open-iscsi takes no line of its record',
      'mv -nvT -- /etc/iscsi/ifaces/card /root/etc_iscsi_ifaces_card',
    ],
  ])('examine() of a record of %j finds an error where it is used, else a warning', async (text, reason, hint) => {
    const host = new DoctorHost();
    host.tree.write('/etc/iscsi/ifaces/card', text);
    expect(await host.problems({ iscsi_iface: 'card' })).toEqual([
      `error IFACE_UNUSABLE the iface card cannot be used: ${reason} | ${hint}`,
    ]);
    expect(await host.problems()).toEqual([
      `warning IFACE_RECORD_BROKEN the iface record card is broken: ${reason} | ${hint}`,
    ]);
  });
});

describe('the records that open-iscsi made', () => {
  test('examine() names a generated record of a card that was replaced', async () => {
    const host = new DoctorHost();
    T5.plug(host.sysfs);
    T5.load(host.sysfs);
    host.tree.write('/etc/iscsi/ifaces/cxgb4i.00:07:43:12:34:56', captured('ifaces/cxgb4i.00:07:43:12:34:56'));
    expect(await host.problems()).toEqual([
      'warning IFACE_RECORD_MISFIT the iface record cxgb4i.00:07:43:12:34:56 does not fit the hardware: nothing in ' +
        'this host that cxgb4i uses has the MAC address 00:07:43:12:34:56 | iscsiadm -m iface -I ' +
        'cxgb4i.00:07:43:12:34:56 >> /root/iface-cxgb4i.00:07:43:12:34:56 && iscsiadm -m iface -I ' +
        'cxgb4i.00:07:43:12:34:56 -o delete',
    ]);
  });

  test('examine() finds no fault in a generated record without an address until it is used', async () => {
    const host = new DoctorHost();
    FASTLINQ.plug(host.sysfs);
    FASTLINQ.load(host.sysfs);
    host.sysfs.startIscsiuio();
    const name = `qedi.${FASTLINQ.mac}.ipv4.0`;
    host.tree.write(
      `/etc/iscsi/ifaces/${name}`,
      `iface.transport_name = qedi\niface.hwaddress = ${FASTLINQ.mac}\niface.ipaddress = ` +
        `default\niface.net_ifacename = default\n`,
    );
    expect(await host.problems()).toEqual([]);
    expect(await host.problems({ iscsi_iface: name })).toEqual([
      expect.stringMatching(/^warning IFACE_FALLS_BACK .* names no ipaddress/),
    ]);
  });
});

describe('iscsiuio', () => {
  const withCard = (): DoctorHost => {
    const host = new DoctorHost();
    FASTLINQ.plug(host.sysfs);
    FASTLINQ.load(host.sysfs);
    return host;
  };
  test('examine() requires iscsiuio where a card needs it', async () => {
    const host = withCard();
    expect(await host.problems()).toEqual([
      'warning ISCSIUIO_NOT_RUNNING iscsiuio does not run, and qedi connects through it | systemctl start ' +
        'iscsiuio.socket',
    ]);
    host.sysfs.startIscsiuio();
    expect(await host.problems()).toEqual([]);
  });

  test('examine() reports iscsiuio once, by the iface that needs it', async () => {
    const config = {
      iscsi_iface: { transport: 'qedi', hwaddress: FASTLINQ.mac, ipaddress: '10.0.0.77' },
      iscsi_iface_fallback: 'none',
    };
    expect(await withCard().problems(config)).toEqual([
      expect.stringMatching(/^error IFACE_UNUSABLE .*iscsiuio does not run.* \| systemctl start iscsiuio\.socket$/),
    ]);
  });

  test('examine() ignores iscsiuio without such a card', async () => {
    const host = new DoctorHost();
    T5.plug(host.sysfs);
    T5.load(host.sysfs);
    expect(await host.problems()).toEqual([]);
  });
});

describe('rp_filter', () => {
  const bound = { iscsi_iface: 'bound' };
  const open = (
    filters: Readonly<Record<string, number>>,
    addresses: readonly [string, string] = ['10.0.0.5/24', '10.0.0.6/24'],
  ): DoctorHost => {
    const host = new DoctorHost();
    host.sysfs.netDevice({ name: 'eth0', mac: '02:00:00:00:00:01', addresses: [addresses[0]] });
    host.sysfs.netDevice({ name: 'eth1.5', mac: '02:00:00:00:00:02', addresses: [addresses[1]] });
    for (const device of ['all', 'eth0', 'eth1.5']) {
      for (const [key, value] of Object.entries({ rp_filter: filters[device] ?? 0, arp_ignore: 1, arp_filter: 0 }))
        host.tree.write(`/proc/sys/net/ipv4/conf/${device}/${key}`, `${value}\n`);
    }
    host.tree.write('/etc/iscsi/ifaces/bound', 'iface.transport_name = tcp\niface.net_ifacename = eth1.5\n');
    return host;
  };
  const STRICT = [
    expect.stringMatching(
      /^warning REPLIES_DROPPED eth0 and eth1\.5 are in one .* sysctl -w net\.ipv4\.conf\.eth1\/5\.rp_filter=2$/,
    ),
  ];

  test.each([
    ['all is strict', { all: 1, 'eth1.5': 0 }, STRICT],
    ['the device is strict', { all: 0, 'eth1.5': 1 }, STRICT],
    ['all is strict and the device loose: the larger counts', { all: 1, 'eth1.5': 2 }, []],
    ['all is loose', { all: 2, 'eth1.5': 1 }, []],
    ['off', { all: 0, 'eth1.5': 0 }, []],
  ])('examine() checks rp_filter: %s', async (_what, filters, problems) => {
    expect(await open(filters).problems(bound)).toEqual(problems);
  });

  test('examine() checks rp_filter only for an iface bound to one of two devices in one network', async () => {
    expect(await open({ all: 1 }, ['10.0.0.5/24', '10.0.1.6/24']).problems(bound)).toEqual([]);
    expect(await open({ all: 1 }, ['10.0.0.5/24', 'fd00::6/64']).problems(bound)).toEqual([]);
    expect(await open({ all: 1 }).problems()).toEqual([]);
    const host = open({ all: 1 });
    host.tree.write('/etc/iscsi/ifaces/bound', 'iface.transport_name = tcp\niface.hwaddress = 02:00:00:00:00:02\n');
    expect(await host.problems(bound)).toEqual(STRICT);
  });
});
