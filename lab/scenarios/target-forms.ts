// limit: 900 s
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { run } from '../machine/commands.js';
import { readDevice } from '../machine/disks.js';
import { ISER_ADDRESS, LioTarget, TCP_ADDRESSES } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { faultyPortal } from '../machine/portal-faults.js';
import { requireNothingLeft } from '../machine/require-nothing-left.js';
import { readResidue } from '../machine/residue.js';
import { after, before, test } from '../machine/scenario.js';
import { volumeDriver } from '../machine/volume-driver.js';

/** Every way in which a storage service may say where a volume is, against a real target. */
const IQN = 'iqn.2026-11.org.example:target-forms';
const IPV6 = 'fd00:99::f0';
const HOSTS = '/etc/hosts';
const LENGTH = 4096;
/** The kernel's number of each volume's LUN: SAM-5, 4.7.7, peripheral device (0) and flat space (0x4000) addressing. */
const LUNS = { one: 1, beyond: 300, sam2: 0x4000 + 301, flat: 0x4000 + 5 } as const;
type Name = keyof typeof LUNS;
const volumes = new Map<Name, LioVolume>();
const given = readFileSync(HOSTS, 'utf8');

before(async () => {
  for (const name of Object.keys(LUNS) as Name[]) {
    const volume = await LioVolume.create({ name: `target-forms-${name}`, sizeMiB: 8 });
    volume.write(0, bytesOf(name));
    volumes.set(name, volume);
  }
  writeFileSync(HOSTS, `${given}${TCP_ADDRESSES[0]} storage.lab.example\n${ISER_ADDRESS} rdma.lab.example\n`);
  await run('ip', ['address', 'add', `${IPV6}/64`, 'dev', 'portals', 'nodad']);
});

after(async () => {
  await run('ip', ['address', 'delete', `${IPV6}/64`, 'dev', 'portals']);
  writeFileSync(HOSTS, given);
  for (const volume of volumes.values()) await volume.remove();
});

/** What a volume begins with. */
function bytesOf(name: Name): Buffer {
  return Buffer.alloc(LENGTH, `the volume ${name} `);
}

function volumeOf(name: Name): LioVolume {
  const volume = volumes.get(name);
  assert.ok(volume);
  return volume;
}

function targetAt(iqn: string, addresses: readonly string[], iser = false): LioTarget {
  return new LioTarget({
    iqn,
    luns: Object.fromEntries((Object.keys(LUNS) as Name[]).map((name) => [LUNS[name], volumeOf(name)])),
    portals: addresses.map((address) => ({ address, iser })),
  });
}

/** Each comes as the volume that it names, with its bytes, and goes without a trace. */
async function requireVolumes(
  iface: string,
  forms: readonly { readonly form: string; readonly volume: Name; readonly data: Readonly<Record<string, unknown>> }[],
  logins: number,
): Promise<void> {
  await using driver = volumeDriver({ iscsi_iface: iface, iscsi_iface_fallback: 'none' });
  const before = await readResidue();
  const infos = forms.map(({ form, volume, data }) => ({
    form,
    volume,
    info: { driver_volume_type: 'iscsi', serial: volume, data: { access_mode: 'rw', ...data } },
  }));
  for (const { form, volume, info } of infos) {
    const { device, paths } = await driver.connect(info);
    assert.deepEqual([device.wwid, paths.length, paths[0].iface], [volumeOf(volume).wwid, 1, iface], form);
    assert.ok((await readDevice(device.path, 0, LENGTH)).equals(bytesOf(volume)), form);
  }
  assert.equal(driver.commands.logins.length, logins);
  // By now several of them may be one volume: who goes second finds nothing.
  for (const { info } of infos) await driver.disconnect(info);
  await requireNothingLeft(before);
}

for (const { iface, address, host } of [
  { iface: 'default', address: TCP_ADDRESSES[0], host: 'storage.lab.example' },
  { iface: 'iser', address: ISER_ADDRESS, host: 'rdma.lab.example' },
]) {
  const forms = [
    { form: 'a LUN as a number', volume: 'one', data: { target_lun: 1 } },
    {
      form: 'a LUN as text, and the portal without its port',
      volume: 'one',
      data: { target_lun: '1', target_portal: address },
    },
    { form: 'a LUN beyond 255', volume: 'beyond', data: { target_lun: 300 } },
    {
      form: 'a LUN beyond 255 as text, addressing_mode transparent',
      volume: 'beyond',
      data: { target_lun: '300', addressing_mode: 'transparent' },
    },
    {
      form: 'a LUN beyond 255 in addressing_mode SAM2',
      volume: 'sam2',
      data: { target_lun: 301, addressing_mode: 'SAM2' },
    },
    {
      form: 'a LUN in addressing_mode SAM3-flat',
      volume: 'flat',
      data: { target_lun: 5, addressing_mode: 'SAM3-flat' },
    },
    { form: 'the portal with its tag', volume: 'one', data: { target_lun: 1, target_portal: `${address}:3260,1` } },
    { form: 'the portal by a host name', volume: 'one', data: { target_lun: 1, target_portal: `${host}:3260` } },
  ] as const;
  test(`connect() over ${iface} accepts every form of LUN, addressing mode and portal, over one session`, async () => {
    using target = targetAt(IQN, [address], iface === 'iser');
    await requireVolumes(
      iface,
      forms.map((one) => ({ ...one, data: { target_iqn: target.iqn, target_portal: `${address}:3260`, ...one.data } })),
      1,
    );
  });
}

for (const [form, iqn] of [
  ['eui', 'eui.0123456789abcdef'],
  ['naa', 'naa.0123456789abcdef0123456789abcdef'],
] as const) {
  test(`connect() and disconnect() work with a target name of the form ${form}`, async () => {
    using target = targetAt(iqn, [TCP_ADDRESSES[0]]);
    await requireVolumes(
      'default',
      [
        {
          form,
          volume: 'one',
          data: { target_iqn: target.iqn, target_portal: `${TCP_ADDRESSES[0]}:3260`, target_lun: 1 },
        },
      ],
      1,
    );
  });
}

test('connect() takes two spellings of an IPv6 portal, one with a tag, for one portal', async () => {
  using target = targetAt(IQN, [IPV6]);
  await requireVolumes(
    'default',
    [IPV6, '[FD00:0099:0:0::00F0]:3260,1'].map((portal) => ({
      form: portal,
      volume: 'one',
      data: { target_iqn: target.iqn, target_portal: portal, target_lun: 1 },
    })),
    1,
  );
});

test('connect() over one path tries portals with IQN and LUN each in order, and undoes failures', async () => {
  using refusing = targetAt(`${IQN}-refusing`, [TCP_ADDRESSES[0]]);
  using bare = new LioTarget({ iqn: `${IQN}-bare`, luns: {}, portals: [{ address: TCP_ADDRESSES[1] }] });
  using good = targetAt(`${IQN}-good`, [TCP_ADDRESSES[2]]);
  const before = await readResidue();
  await using fault = await faultyPortal(TCP_ADDRESSES[0], 'reject');
  await using driver = volumeDriver({ login_timeout_seconds: 5, device_timeout_seconds: 5 });
  const info = {
    driver_volume_type: 'iscsi',
    serial: 'several',
    data: {
      target_portals: [0, 1, 2].map((index) => `${TCP_ADDRESSES[index] ?? ''}:3260`),
      target_iqns: [refusing.iqn, bare.iqn, good.iqn],
      target_luns: [1, 7, LUNS.beyond],
      access_mode: 'rw',
    },
  };
  const { device, paths } = await driver.connect(info);
  assert.deepEqual(
    [device.wwid, paths.map(({ target, lun }) => `${target} ${lun}`)],
    [volumeOf('beyond').wwid, [`${good.iqn} ${LUNS.beyond}`]],
  );
  assert.deepEqual(
    (await readResidue()).filter((line) => line.startsWith('session')),
    [`session ${good.iqn} at ${TCP_ADDRESSES[2]} over default`],
  );
  assert.equal((await driver.disconnect(info)).found, true);
  await fault[Symbol.asyncDispose]();
  await requireNothingLeft(before);
});
