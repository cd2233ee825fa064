// needs: libvirt
// takes: 65 s
// limit: 900 s
import assert from 'node:assert/strict';
import { Secret } from '../../src/base/secret.js';
import { isVolumeError } from '../../src/base/volume-error.js';
import type { AttachOptions } from '../../src/driver/attach-options.js';
import { connectionInfo } from '../machine/connection-info.js';
import { readDevice } from '../machine/disks.js';
import { Domain } from '../machine/domain.js';
import { ISER_ADDRESS, LioTarget, TCP_ADDRESSES } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { verifyLuks, writeLuks } from '../machine/luks-image.js';
import { requireNothingLeft } from '../machine/require-nothing-left.js';
import { readResidue } from '../machine/residue.js';
import { after, before, test } from '../machine/scenario.js';
import { libvirtdUp, startLibvirtd, stopLibvirtd, virsh } from '../machine/services.js';
import { type LabDriver, volumeDriver } from '../machine/volume-driver.js';

/** A LUKS volume: the guest reads and writes plain bytes, the target and this host's device have ciphertext alone. */
const LUN = 2;
const BLOCK = 4096;
const MIB = 2 ** 20;
const PASSPHRASE = 'a passphrase of the lab';
const RIGHT: AttachOptions = { encryption: { passphrase: new Secret(PASSPHRASE) } };
const SDB = { dev: 'sdb', bus: 'scsi' };
const WAYS = [
  { iface: 'default', address: TCP_ADDRESSES[0] },
  { iface: 'iser', address: ISER_ADDRESS },
] as const;
type Way = (typeof WAYS)[number];
let volume: LioVolume;
let target: LioTarget;
let guest: Domain;

before(async () => {
  volume = await LioVolume.create({ name: 'encrypted', sizeMiB: 16 });
  target = new LioTarget({
    iqn: 'iqn.2026-11.org.example:encrypted',
    luns: { [LUN]: volume },
    portals: [{ address: TCP_ADDRESSES[0] }, { address: ISER_ADDRESS, iser: true }],
  });
  await writeLuks(volume, PASSPHRASE, Buffer.alloc(MIB, 0x5a));
  await libvirtdUp();
  guest = await Domain.start({ name: 'encrypted', persistent: true });
});

after(async () => {
  await guest.stop();
  target.remove();
  await volume.remove();
});

const open = ({ iface }: Way): LabDriver => volumeDriver({ iscsi_iface: iface, iscsi_iface_fallback: 'none' });
const refOf = ({ name }: Domain): { readonly kind: 'name'; readonly name: string } => ({ kind: 'name', name });

function infoFor({ address }: Way): object {
  const info = connectionInfo(volume, target, LUN, [address]) as { readonly data: object };
  return { ...info, data: { ...info.data, encrypted: true } };
}

/** Each libvirt secret's UUID and usage. */
async function secrets(): Promise<string> {
  return (await virsh('secret-list')).trim().replaceAll(/\s+/g, ' ');
}

for (const way of WAYS) {
  test(`attach() over iface ${way.iface} decrypts a volume for the guest, not for target and host`, async () => {
    await using driver = open(way);
    const since = await readResidue();
    const {
      volume: { device, paths },
      diskXml,
    } = await driver.attach(refOf(guest), infoFor(way), SDB, RIGHT);
    assert.equal(paths[0].iface, way.iface);
    const [, uuid = 'none'] = /<secret type="passphrase" uuid="([^"]+)"/.exec(diskXml) ?? [];
    assert.equal(await secrets(), `${uuid} volume ${volume.name}`);
    await guest.verify(`ua-${volume.name}`, 0x5a, 0, MIB);
    await guest.write(`ua-${volume.name}`, 0xb2, MIB, BLOCK);
    assert.ok(
      !(await readDevice(device.path, 0, 8 * MIB)).includes(Buffer.alloc(16, 0xb2)),
      'this host sees plain bytes',
    );
    await volume.flush();
    assert.ok(!volume.read(0, 16 * MIB).includes(Buffer.alloc(16, 0xb2)), 'the target keeps plain bytes');
    await verifyLuks(volume, PASSPHRASE, 0xb2, MIB, BLOCK);
    assert.deepEqual(await driver.detach(refOf(guest), infoFor(way)), { found: true, warnings: [] });
    assert.equal(await secrets(), '');
    await requireNothingLeft(since);
  });
}

test('guest with an encrypted volume restarts without the key manager, also after libvirt did (R102)', async () => {
  await using driver = open(WAYS[0]);
  await guest.powerOff();
  const since = await readResidue();
  await driver.attach(refOf(guest), infoFor(WAYS[0]), SDB, RIGHT);
  await stopLibvirtd();
  await startLibvirtd();
  await guest.powerOn();
  await guest.verify(`ua-${volume.name}`, 0x5a, 0, BLOCK);
  await guest.powerOff();
  await using another = open(WAYS[0]); // the first one's connection to libvirt ended with the daemon
  assert.deepEqual(await another.detach(refOf(guest), infoFor(WAYS[0])), { found: true, warnings: [] });
  assert.equal(await secrets(), '');
  await requireNothingLeft(since);
  await guest.powerOn();
});

test("attach() with a wrong passphrase or format is refused in QEMU's words, and leaves no secret", async () => {
  await using driver = open(WAYS[1]);
  const since = await readResidue();
  const refused = async (options: AttachOptions, words: RegExp): Promise<void> => {
    const kept = volume.read(0, 4 * MIB);
    const error: unknown = await driver.attach(refOf(guest), infoFor(WAYS[1]), SDB, options).then(
      () => 'it was done',
      (reason: unknown) => reason,
    );
    assert.ok(isVolumeError(error, 'LIBVIRT_REFUSED'), String(error));
    assert.match(error.message, words);
    assert.equal(await secrets(), '');
    assert.deepEqual(await guest.disks(), []);
    await requireNothingLeft(since);
    await volume.flush();
    assert.ok(volume.read(0, 4 * MIB).equals(kept), 'the volume was written to');
  };
  await refused({ encryption: { passphrase: new Secret('not the passphrase') } }, /Invalid password/);
  const [magic] = [volume.read(0, 8)];
  volume.write(6, Buffer.of(0, 2)); // the version, behind the magic (LUKS on-disk format specification, 2.1)
  await volume.flush();
  await refused(RIGHT, /version/i);
  volume.write(0, Buffer.alloc(8));
  await volume.flush();
  await refused(RIGHT, /LUKS/);
  volume.write(0, magic);
});
