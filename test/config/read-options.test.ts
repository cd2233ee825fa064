import { expect, test } from '@jest/globals';
import { isVolumeError } from '../../src/base/volume-error.js';
import type { VolumeOptions } from '../../src/config/options.js';
import { readOptions } from '../../src/config/read-options.js';

const read = (libvirt: unknown): VolumeOptions => readOptions({ libvirt }, 'test.toml');

const messageOf = (table: unknown): string => {
  try {
    readOptions(table, 'test.toml');
  } catch (error) {
    if (isVolumeError(error, 'CONFIG_INVALID')) return error.message;
    throw error;
  }
  return 'accepted';
};

test('readOptions() gives every option its default', () => {
  const defaults: VolumeOptions = {
    uri: 'qemu:///system',
    iscsiIface: [{ kind: 'name', name: 'default' as never }],
    iscsiIfaceFallback: 'default',
    useMultipath: false,
    enforceMultipath: false,
    multipathReplacementTimeoutSeconds: 15,
    loginTimeoutMs: 15_000,
    loginAttempts: 1,
    deviceTimeoutMs: 60_000,
    chapSecrets: 'record-file',
    stateDirectory: '/var/lib/libvirt-volume',
    databaseRoot: undefined,
    lockDirectory: '/run/lock/libvirt-volume',
    rootHelper: [],
    useDefaultAioModeForVolumes: false,
    blockCacheMode: undefined,
    virtType: 'kvm',
  };
  expect(readOptions({}, 'test.toml')).toEqual(defaults);
  expect(read({})).toEqual(defaults);
});

const HARDWARE = { transport: 'cxgb4i', hwaddress: '00:07:43:12:34:AB' };

test.each([
  ['iser', [{ kind: 'name', name: 'iser' }]],
  [
    HARDWARE,
    [
      {
        kind: 'hardware',
        transport: 'cxgb4i',
        hwaddress: '00:07:43:12:34:ab',
        ipaddress: undefined,
        netIfacename: undefined,
      },
    ],
  ],
  [
    { ...HARDWARE, ipaddress: '2001:DB8::01', net_ifacename: 'eth0' },
    [
      {
        kind: 'hardware',
        transport: 'cxgb4i',
        hwaddress: '00:07:43:12:34:ab',
        ipaddress: '2001:db8::1',
        netIfacename: 'eth0',
      },
    ],
  ],
  [{ ipaddress: '192.0.2.20' }, [{ kind: 'address', ipaddress: '192.0.2.20' }]],
  [
    ['iface0', { ipaddress: '192.0.2.20' }],
    [
      { kind: 'name', name: 'iface0' },
      { kind: 'address', ipaddress: '192.0.2.20' },
    ],
  ],
])('readOptions() reads iscsi_iface %j', (iscsi_iface, selectors) => {
  expect(read({ iscsi_iface, volume_use_multipath: true }).iscsiIface).toEqual(selectors);
});

test('readOptions() reads what differs from the defaults', () => {
  expect(
    read({
      volume_use_multipath: true,
      volume_enforce_multipath: true,
      login_timeout_seconds: 1,
      root_helper: ['sudo', '-n'],
      disk_cachemodes: ['block=directsync'],
      virt_type: 'qemu',
      chap_secrets: 'argv',
      iscsi_iface_fallback: 'none',
    }),
  ).toMatchObject({
    useMultipath: true,
    enforceMultipath: true,
    loginTimeoutMs: 1000,
    rootHelper: ['sudo', '-n'],
    blockCacheMode: 'directsync',
    virtType: 'qemu',
    chapSecrets: 'argv',
    iscsiIfaceFallback: 'none',
  });
});

test.each<[unknown, string]>([
  [5, 'the file is 5: expected a table'],
  [{ libvrit: {} }, 'libvrit is not a known section: the nearest is libvirt'],
  [{ libvirt: 5 }, 'libvirt is 5: expected a table'],
  [{ libvirt: { iscsi_ifce: 'x' } }, 'libvirt.iscsi_ifce is not a known option: the nearest is iscsi_iface'],
  [{ libvirt: { iscsi_use_multipath: true } }, 'the nearest is volume_use_multipath'],
  [{ libvirt: { iscsi_iface: '../x' } }, 'libvirt.iscsi_iface is "../x": expected 1 to 64'],
  [{ libvirt: { iscsi_iface: 5 } }, 'libvirt.iscsi_iface is 5: expected a name, a table, or a list'],
  [{ libvirt: { iscsi_iface: [] } }, 'expected at least one iface'],
  [{ libvirt: { iscsi_iface: ['a', 'a'] } }, 'expected each iface once'],
  [{ libvirt: { iscsi_iface: {} } }, 'expected { transport, hwaddress }'],
  [{ libvirt: { iscsi_iface: { transport: 'iser' } } }, 'expected { transport, hwaddress }'],
  [{ libvirt: { iscsi_iface: { ipaddress: '192.0.2.1', net_ifacename: 'eth0' } } }, 'or { ipaddress } alone'],
  [
    { libvirt: { iscsi_iface: { ...HARDWARE, hwadress: 'x' } } },
    'libvirt.iscsi_iface.hwadress is not a known key: the nearest is hwaddress',
  ],
  [
    { libvirt: { iscsi_iface: ['a', { ...HARDWARE, hwaddress: '00' }] } },
    'libvirt.iscsi_iface[1].hwaddress is "00": expected a MAC address',
  ],
  [
    { libvirt: { iscsi_iface: ['a', { ipaddres: 'x' }] } },
    'libvirt.iscsi_iface[1].ipaddres is not a known key: the nearest is ipaddress',
  ],
  [
    { libvirt: { iscsi_iface: { ...HARDWARE, transport: 'cxgb5i' } } },
    'libvirt.iscsi_iface.transport is "cxgb5i": expected one of tcp, iser',
  ],
  [
    { libvirt: { iscsi_iface: { ipaddress: '192.0.2.256' } } },
    'libvirt.iscsi_iface.ipaddress is "192.0.2.256": expected an IP address',
  ],
  [{ libvirt: { iscsi_iface_fallback: 'tcp' } }, 'is "tcp": expected default or none'],
  [{ libvirt: { login_timeout_seconds: 0 } }, 'is 0: expected a whole number from 1 to 600'],
  [{ libvirt: { login_timeout_seconds: '15' } }, 'is "15": expected a whole number'],
  [{ libvirt: { device_timeout_seconds: 1.5 } }, 'is 1.5: expected a whole number'],
  [{ libvirt: { volume_use_multipath: 'true' } }, 'is "true": expected true or false'],
  [{ libvirt: { state_directory: 'state' } }, 'expected an absolute path'],
  [{ libvirt: { lock_directory: '/run/../etc' } }, 'expected an absolute path'],
  [{ libvirt: { root_helper: 'sudo' } }, 'expected a list of texts'],
  [{ libvirt: { root_helper: ['sudo', 5] } }, 'libvirt.root_helper[1] is 5'],
  [{ libvirt: { disk_cachemodes: ['block=fast'] } }, 'libvirt.disk_cachemodes[0] is "block=fast": expected block='],
  [{ libvirt: { disk_cachemodes: ['block=none', 'block=unsafe'] } }, 'expected one cache mode'],
  [{ libvirt: { virt_type: 'xen' } }, 'is "xen": expected one of kvm, qemu, lxc, parallels'],
  [{ libvirt: { uri: '' } }, 'expected a libvirt URI'],
  [{ libvirt: { iscsi_iface: ['a', 'b'] } }, 'libvirt.iscsi_iface lists several ifaces without volume_use_multipath'],
  [
    { libvirt: { volume_enforce_multipath: true } },
    'libvirt.volume_enforce_multipath is true without volume_use_multipath',
  ],
])('readOptions() refuses %j with a reason', (table, words) => {
  expect(messageOf(table)).toContain(words);
  expect(messageOf(table)).toContain('test.toml');
});

test('readOptions() reports every problem of a file at once', () => {
  const message = messageOf({
    libvirt: { virt_typ: 'kvm', login_timeout_seconds: 0, volume_enforce_multipath: true, iscsi_iface: [5] },
    other: {},
  });
  for (const key of ['virt_typ', 'login_timeout_seconds', 'volume_enforce_multipath', 'iscsi_iface[0]', 'other'])
    expect(message).toContain(key);
});
