// releases: 13 12
// takes: 35 s
// limit: 900 s
import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { errorChain } from '../../src/base/error-chain.js';
import { isVolumeError } from '../../src/base/volume-error.js';
import { connectionInfo } from '../machine/connection-info.js';
import { ISER_ADDRESS, LioTarget } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { OFFLOAD_IFACE, OffloadStandIn } from '../machine/offload-stand-in.js';
import { requireNothingLeft } from '../machine/require-nothing-left.js';
import { readResidue, type Residue } from '../machine/residue.js';
import { after, before, test } from '../machine/scenario.js';
import { addSecondRdmaAddress, SECOND_ISER_ADDRESS } from '../machine/second-rdma-address.js';
import { startMultipathd, stopMultipathd } from '../machine/services.js';
import { volumeDriver } from '../machine/volume-driver.js';

/**
 * Several paths over transports that are not tcp, and what a refusal over them is: iSER, and then the stand-in for the
 * offload transport ocs.
 */
const LUN = 4;
const IQN = 'iqn.2026-11.org.example:multipath-offload';
const CHAP = { username: 'volumes', password: 'right-secret-1' };
const BLOCK = 4096;
const cleanUps: (() => Promise<void>)[] = [];
let volume: LioVolume;
let clean: Residue;

before(async () => {
  volume = await LioVolume.create({ name: 'multipath-offload' });
  cleanUps.push(() => volume.remove());
  const address = await addSecondRdmaAddress();
  cleanUps.push(async () => {
    await address[Symbol.asyncDispose]();
  });
  await startMultipathd();
  cleanUps.push(stopMultipathd);
  clean = await readResidue();
});

after(async () => {
  for (const cleanUp of cleanUps.toReversed()) await cleanUp();
});

test('connect() over iser to two portals has two sessions under one map, which survives a cut', async () => {
  await twoPaths('iser', 'iser', 0xa5);
});

for (const round of [1, 2])
  test(`connect() over iser with a wrong secret is refused after one login, without fallback (${round})`, async () => {
    await refused('iser');
  });

test('offload stand-in is in place', async () => {
  const standIn = await OffloadStandIn.install();
  cleanUps.push(async () => {
    await standIn[Symbol.asyncDispose]();
  });
  clean = await readResidue(); // the iface record of the stand-in
});

test('connect() over ocs to two portals has two sessions under one map, which survives a cut', async () => {
  await twoPaths(OFFLOAD_IFACE, 'ocs', 0xc3);
});

for (const round of [1, 2])
  test(`connect() over ocs with a wrong secret is refused after one login, without fallback (${round})`, async () => {
    await refused(OFFLOAD_IFACE);
  });

/**
 * Each portal is a target of its own, so that one can be cut: what a port of soft RoCE sends to itself passes no
 * firewall.
 */
async function twoPaths(iface: string, transport: string, pattern: number): Promise<void> {
  {
    using kept = new LioTarget({
      iqn: `${IQN}-a`,
      luns: { [LUN]: volume },
      portals: [{ address: ISER_ADDRESS, iser: true }],
    });
    using cut = new LioTarget({
      iqn: `${IQN}-b`,
      luns: { [LUN]: volume },
      portals: [{ address: SECOND_ISER_ADDRESS, iser: true }],
    });
    const { data, ...top } = connectionInfo(volume, kept, LUN, [ISER_ADDRESS, SECOND_ISER_ADDRESS]) as {
      readonly data: object;
    };
    const info = { ...top, data: { ...data, target_iqns: [kept.iqn, cut.iqn] } };
    await using driver = volumeDriver({
      iscsi_iface: iface,
      iscsi_iface_fallback: 'none',
      volume_use_multipath: true,
      volume_enforce_multipath: true,
    });
    const { device, paths, warnings } = await driver.connect(info);
    const ways = paths.map((path) => [path.portal.address, path.iface, path.transport]);
    assert.deepEqual(
      [device.kind, device.wwid, ways, warnings],
      ['multipath', volume.wwid, [ISER_ADDRESS, SECOND_ISER_ADDRESS].map((address) => [address, iface, transport]), []],
    );
    assert.equal(device.kind === 'multipath' ? device.members.length : 0, 2);
    await writeThrough(device.path, pattern, 0);
    cut.disable();
    const begin = performance.now();
    await writeThrough(device.path, pattern, BLOCK);
    console.log(`over ${transport}: a write after one path was cut took ${Math.round(performance.now() - begin)} ms`);
    await volume.flush();
    assert.deepEqual(volume.read(0, 2 * BLOCK), Buffer.alloc(2 * BLOCK, pattern));
    assert.deepEqual(await driver.disconnect(info), { found: true, warnings: [] });
  }
  await requireNothingLeft(clean);
}

/** Wherever the refusal gets lost: see `refusal` in docs/transports.md. */
async function refused(iface: string): Promise<void> {
  {
    using target = new LioTarget({
      iqn: `${IQN}-chap`,
      luns: { [LUN]: volume },
      portals: [{ address: ISER_ADDRESS, iser: true }],
      chap: CHAP,
    });
    const { data, ...top } = connectionInfo(volume, target, LUN, [ISER_ADDRESS]) as { readonly data: object };
    await using driver = volumeDriver({ iscsi_iface: iface, login_timeout_seconds: 8 });
    const begin = performance.now();
    const error: unknown = await driver
      .connect({
        ...top,
        data: { ...data, auth_method: 'CHAP', auth_username: CHAP.username, auth_password: 'wrong-secret-1' },
      })
      .catch((reason: unknown) => reason);
    if (!isVolumeError(error)) throw new Error(`It was not refused: ${String(error)}`);
    console.log(
      `over ${iface}: ${error.code}, exit status ${String(error.details.exitCode)} after ` +
        `${Math.round(performance.now() - begin)} ms: ${errorChain(error)}`,
    );
    assert.deepEqual(
      [
        ['LOGIN_AUTH_FAILED', 24],
        ['LOGIN_REFUSED', 11],
        ['LOGIN_REFUSED', 8],
      ].some(([code, status]) => error.code === code && error.details.exitCode === status),
      true,
      `${error.code}: ${error.message}`,
    );
    assert.deepEqual([driver.commands.logins, target.refusedLogins], [[iface], 1]);
  }
  await requireNothingLeft(clean);
}

async function writeThrough(device: string, pattern: number, position: number): Promise<void> {
  const file = await open(device, 'r+');
  try {
    await file.write(Buffer.alloc(BLOCK, pattern), 0, BLOCK, position);
    await file.datasync();
  } finally {
    await file.close();
  }
}
