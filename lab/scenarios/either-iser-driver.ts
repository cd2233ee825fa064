// needs: libvirt
// limit: 900 s
import assert from 'node:assert/strict';
import { volumeDocument } from '../../src/cli/output/volume-document.js';
import { connectionInfo } from '../machine/connection-info.js';
import { Domain } from '../machine/domain.js';
import { ISER_ADDRESS, LioTarget } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { requireNothingLeft } from '../machine/require-nothing-left.js';
import { readResidue } from '../machine/residue.js';
import { test } from '../machine/scenario.js';
import { libvirtdUp } from '../machine/services.js';
import { type LabDriver, volumeDriver } from '../machine/volume-driver.js';

/**
 * One story over RDMA, for the driver that is told iscsi_iface = "iser" and for the one that always goes that way.
 * contract-iser.ts has their promises one by one.
 */
const WAYS = {
  iscsi: { iscsi_iface: 'iser', iscsi_iface_fallback: 'none' },
  iser: { iscsi_iface_fallback: 'none' },
} as const;

test('LibvirtISERVolumeDriver handles two volumes of a target as iscsi_iface = "iser" does (R17)', async () => {
  await libvirtdUp();
  await using one = await LioVolume.create({ name: 'either-iser-driver-one' });
  await using two = await LioVolume.create({ name: 'either-iser-driver-two' });
  using target = new LioTarget({
    iqn: 'iqn.2026-11.org.example:either-iser-driver',
    luns: { 1: one, 10: two },
    portals: [{ address: ISER_ADDRESS, iser: true }],
  });
  await using guest = await Domain.start({ name: 'either-iser-driver' });
  const told: unknown[] = [];
  for (const [index, volumeType] of (['iscsi', 'iser'] as const).entries()) {
    await using driver = volumeDriver(WAYS[volumeType], volumeType);
    const volumes = [
      {
        info: { ...connectionInfo(one, target, 1, [ISER_ADDRESS]), driver_volume_type: volumeType },
        dev: 'sdb',
        alias: `ua-${one.name}`,
        pattern: 0xd0 + index,
      },
      {
        info: { ...connectionInfo(two, target, 10, [ISER_ADDRESS]), driver_volume_type: volumeType },
        dev: 'sdc',
        alias: `ua-${two.name}`,
        pattern: 0xe0 + index,
      },
    ];
    told.push(await attachAndDetach(driver, guest, volumes));
    assert.deepEqual(
      [one, two].map((volume) => volume.read(8192, 4096)),
      volumes.map(({ pattern }) => Buffer.alloc(4096, pattern)),
    );
  }
  assert.deepEqual(told[1], told[0]);
});

interface GuestVolume {
  readonly info: object;
  readonly dev: string;
  readonly alias: string;
  /** What the guest writes to it. */
  readonly pattern: number;
}

/** @returns all that the driver says, without the number of the session, of which there is one */
async function attachAndDetach(driver: LabDriver, guest: Domain, volumes: readonly GuestVolume[]): Promise<unknown> {
  const domain = { kind: 'name', name: guest.name } as const;
  const before = await readResidue();
  const attached = [];
  for (const { info, dev } of volumes) attached.push(await driver.attach(domain, info, { dev, bus: 'scsi' }));
  assert.equal(new Set(attached.map(({ volume }) => volume.paths[0].session)).size, 1);
  assert.deepEqual(driver.commands.logins, ['iser']);
  assert.deepEqual(
    await guest.disks(),
    volumes.map(({ dev }) => dev),
  );
  for (const { alias, pattern } of volumes) await guest.write(alias, pattern, 8192, 4096);
  for (const { info } of volumes) assert.deepEqual(await driver.detach(domain, info), { found: true, warnings: [] });
  assert.deepEqual(await guest.disks(), []);
  await requireNothingLeft(before);
  return attached.map(({ volume, diskXml }) => {
    const { paths, ...document } = volumeDocument(volume);
    return { ...document, paths: paths.map((path) => ({ ...path, session: 'one' })), diskXml };
  });
}
