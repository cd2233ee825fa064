import { describe, expect, test } from '@jest/globals';
import { readOptions } from '../../src/config/read-options.js';
import { ConnectorPropertiesReader } from '../../src/connector/connector-properties-reader.js';
import { TOKENS } from '../../src/tokens.js';
import { openFakeWorld } from '../fakes/fake-world.js';
import { SysfsTree } from '../hardware/sysfs-tree.js';
import { captured } from '../initiator/captured.js';
import { RecordedLog } from '../driver/recorded-world.js';
import { fakeDatabase } from '../fakes/fake-database.js';

const NAME_FILE = '/etc/iscsi/initiatorname.iscsi';
const OWN_NAME = 'iqn.2026-11.org.example:card';
const HOSTS_NAME = 'iqn.2026-11.org.example:initiator';

const LOOPBACK = { name: 'lo', mac: '00:00:00:00:00:00', addresses: ['127.0.0.1/8', '::1/128'] } as const;
const DEVICES = [
  LOOPBACK,
  { name: 'eth0', mac: '52:54:00:12:34:01', addresses: ['2001:db8::7/64', '192.0.2.7/24'] },
  { name: 'eth1', mac: '52:54:00:12:34:02', addresses: ['fe80::2/64', '198.51.100.7/24'] },
] as const;

interface Identified {
  readonly sysfs: SysfsTree;
  readonly log: RecordedLog;
  connector(config?: Readonly<Record<string, unknown>>): ConnectorPropertiesReader;
}

/** A host with a name. */
function openHost(devices: readonly Parameters<SysfsTree['netDevice']>[0][] = DEVICES): Identified {
  const sysfs = new SysfsTree();
  const log = new RecordedLog();
  sysfs.host.tree.write(NAME_FILE, captured('host/initiatorname.iscsi'));
  for (const device of devices) sysfs.netDevice(device);
  return {
    sysfs,
    log,
    connector: (config = {}) =>
      new ConnectorPropertiesReader({
        files: sysfs.files,
        database: fakeDatabase(sysfs.host),
        netAddresses: sysfs.netAddresses,
        logger: log,
        options: readOptions({ libvirt: config }, 'the test'),
        hostIdentity: { hostName: () => 'compute-7', machine: () => 'aarch64' },
      }),
  };
}

/** A record as open-iscsi writes it, bound to eth1 and with other values where they are given. */
function record({ sysfs }: Identified, name: string, values: Readonly<Record<string, string>> = {}): void {
  const lines = Object.entries({ 'iface.net_ifacename': 'eth1', ...values }).map(
    ([key, value]) => `${key} = ${value}\n`,
  );
  sysfs.host.tree.write(
    `/etc/iscsi/ifaces/${name}`,
    captured('ifaces/eth1.bound')
      .replace('eth1.bound', name)
      .replace(/^iface\.net_ifacename = .*\n/m, lines.join('')),
  );
}

describe('getConnectorProperties()', () => {
  test('getConnectorProperties() gives what Cinder needs, key by key as os-brick does', async () => {
    expect(await openHost().connector().getConnectorProperties()).toEqual({
      initiator: HOSTS_NAME,
      ip: '192.0.2.7',
      host: 'compute-7',
      multipath: false,
      enforce_multipath: false,
      platform: 'aarch64',
      os_type: 'linux',
      do_local_attach: false,
    });
  });

  test('getConnectorProperties() accepts ip and host from a service', async () => {
    expect(
      await openHost().connector().getConnectorProperties({ ip: '2001:DB8:0::9', host: 'cell1@compute' }),
    ).toMatchObject({ ip: '2001:db8::9', host: 'cell1@compute' });
  });

  test.each([{ ip: 'compute-7' }, { ip: '' }, { host: '' }, { host: 'a host' }, { host: 'a\nb' }])(
    'getConnectorProperties() refuses %j',
    async (request) => {
      await expect(openHost().connector().getConnectorProperties(request)).rejects.toMatchObject({ code: 'USAGE' });
    },
  );

  test.each([
    [false, false],
    [true, false],
    [true, true],
  ])(
    'getConnectorProperties() gives multipath as configured, not as always enforced: %s, %s (W-27)',
    async (use, enforce) => {
      const connector = openHost().connector({ volume_use_multipath: use, volume_enforce_multipath: enforce });
      expect(await connector.getConnectorProperties()).toMatchObject({ multipath: use, enforce_multipath: enforce });
    },
  );

  test('getConnectorProperties() gives the initiator name and address of an iface that has its own', async () => {
    const host = openHost();
    record(host, 'card', { 'iface.initiatorname': OWN_NAME, 'iface.ipaddress': '203.0.113.7' });
    expect(await host.connector({ iscsi_iface: 'card' }).getConnectorProperties()).toMatchObject({
      initiator: OWN_NAME,
      ip: '203.0.113.7',
    });
  });

  test("getConnectorProperties() gives an address of the iface's device, never a link-local one", async () => {
    const host = openHost();
    record(host, 'bound');
    expect(await host.connector({ iscsi_iface: 'bound' }).getConnectorProperties()).toMatchObject({
      initiator: HOSTS_NAME,
      ip: '198.51.100.7',
    });
  });

  test('getConnectorProperties() gives one initiator name for several ifaces, and refuses several', async () => {
    const host = openHost();
    record(host, 'one', { 'iface.initiatorname': OWN_NAME });
    record(host, 'two', { 'iface.initiatorname': OWN_NAME });
    record(host, 'three');
    expect(
      await host.connector({ iscsi_iface: ['one', 'two'], volume_use_multipath: true }).getConnectorProperties(),
    ).toMatchObject({ initiator: OWN_NAME });
    await expect(
      host.connector({ iscsi_iface: ['one', 'three'], volume_use_multipath: true }).getConnectorProperties(),
    ).rejects.toMatchObject({
      code: 'IFACE_UNUSABLE',
      message:
        `Cannot tell the storage service one initiator name: the iface one logs in as ${OWN_NAME}, and ` +
        `three as ${HOSTS_NAME}`,
    });
  });

  test.each([
    ['default', 1],
    ['none', 0],
  ])('getConnectorProperties() warns of a fallback that the storage refuses: option %s', async (fallback, warnings) => {
    const host = openHost();
    record(host, 'card', { 'iface.initiatorname': OWN_NAME, 'iface.transport_name': 'iser' });
    host.sysfs.host.tree.write(
      '/etc/iscsi/ifaces/card',
      (host.sysfs.host.tree.read('/etc/iscsi/ifaces/card') ?? '').replace('iface.transport_name = tcp\n', ''),
    );
    expect(
      await host.connector({ iscsi_iface: 'card', iscsi_iface_fallback: fallback }).getConnectorProperties(),
    ).toMatchObject({ initiator: OWN_NAME });
    expect(host.log.warnings).toHaveLength(warnings);
  });

  test.each<[string, string, string | undefined]>([
    [
      'of several lines the first, as iscsid does',
      `  InitiatorName=${HOSTS_NAME}  \nInitiatorName=iqn.2026-11.org.example:later\n`,
      HOSTS_NAME,
    ],
    ['a line with blanks around its equals sign', `InitiatorName = ${HOSTS_NAME}\n`, HOSTS_NAME],
    [
      'what stands behind the name as well, as iscsid does',
      `InitiatorName=${HOSTS_NAME} # ours\n`,
      `${HOSTS_NAME} # ours`,
    ],
    [
      'no line that is commented out',
      `InitiatorName=${HOSTS_NAME}\n# InitiatorName=iqn.2026-11.org.example:no\n`,
      HOSTS_NAME,
    ],
    ['nothing from a file without one', 'GenerateName=yes\n', undefined],
    ['nothing from an empty one', 'InitiatorName=\n', undefined],
  ])('getConnectorProperties() takes %s', async (_what, text, initiator) => {
    const host = openHost();
    host.sysfs.host.tree.write(NAME_FILE, text);
    const told = host.connector().getConnectorProperties();
    if (initiator === undefined)
      await expect(told).rejects.toMatchObject({
        code: 'INITIATOR_UNAVAILABLE',
        hint: expect.stringContaining('iscsi-iname') as unknown,
      });
    else expect(await told).toMatchObject({ initiator });
  });

  test('getConnectorProperties() refuses a host without a name, or with local addresses only', async () => {
    const nameless = openHost();
    nameless.sysfs.host.tree.remove(NAME_FILE);
    await expect(nameless.connector().getConnectorProperties()).rejects.toMatchObject({
      code: 'INITIATOR_UNAVAILABLE',
    });
    const lonely = openHost([
      LOOPBACK,
      { name: 'eth1', mac: '52:54:00:12:34:02', addresses: ['fe80::2/64', '169.254.7.7/16'] },
    ]);
    await expect(lonely.connector().getConnectorProperties()).rejects.toMatchObject({ code: 'USAGE', hint: 'give ip' });
    expect(await lonely.connector().getConnectorProperties({ ip: '192.0.2.9' })).toMatchObject({ ip: '192.0.2.9' });
  });

  test('ConnectorPropertiesReader is bound in the container, and starts no process', async () => {
    const world = openFakeWorld();
    world.host.tree.write(NAME_FILE, captured('host/initiatorname.iscsi'));
    expect(await world.container.get(TOKENS.connectorProperties).getConnectorProperties()).toMatchObject({
      initiator: HOSTS_NAME,
      ip: '192.0.2.1',
      platform: expect.stringMatching(/./) as unknown,
    });
    expect(world.host.commands).toEqual([]);
  });
});
