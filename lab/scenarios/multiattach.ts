// needs: libvirt
// limit: 900 s
import assert from 'node:assert/strict';
import { connectionInfo } from '../machine/connection-info.js';
import { Domain } from '../machine/domain.js';
import { LioTarget, TCP_ADDRESSES } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { requireNothingLeft } from '../machine/require-nothing-left.js';
import { readResidue } from '../machine/residue.js';
import { after, before, test } from '../machine/scenario.js';
import { libvirtdUp, startMultipathd, stopMultipathd } from '../machine/services.js';
import { volumeDriver } from '../machine/volume-driver.js';

/** Two guests of one host share a volume: each reads what the other writes, and the last one out takes it away. */
const LUN = 6;
const BLOCK = 4096;
const SDB = { dev: 'sdb', bus: 'scsi' };
const ALIAS = 'ua-multiattach';
let volume: LioVolume;
let target: LioTarget;
let one: Domain;
let other: Domain;

before(async () => {
  volume = await LioVolume.create({ name: 'multiattach' });
  target = new LioTarget({
    iqn: 'iqn.2026-11.org.example:multiattach',
    luns: { [LUN]: volume },
    portals: TCP_ADDRESSES.slice(0, 2).map((address) => ({ address })),
  });
  await libvirtdUp();
  one = await Domain.start({ name: 'multiattach-one' });
  other = await Domain.start({ name: 'multiattach-other', persistent: true });
});

after(async () => {
  await one.stop();
  await other.stop();
  target.remove();
  await volume.remove();
});

const ONE = { kind: 'name', name: 'multiattach-one' } as const;
const OTHER = { kind: 'name', name: 'multiattach-other' } as const;
const STAYS_FOR = (name: string): object => ({
  found: true,
  warnings: [`the volume stays on this host for the guests that have it too: ${name}`],
});

function shared(...addresses: readonly [string, ...string[]]): object {
  return { ...connectionInfo(volume, target, LUN, addresses), multiattach: true };
}

/** Each writes, and the other reads it. */
async function requireShared(pattern: number): Promise<void> {
  await one.write(ALIAS, pattern, 0, BLOCK);
  await other.verify(ALIAS, pattern, 0, BLOCK);
  await other.write(ALIAS, pattern + 1, BLOCK, BLOCK);
  await one.verify(ALIAS, pattern + 1, BLOCK, BLOCK);
}

for (const { over, info, config, kind, pattern } of [
  { over: 'one path', info: () => shared(TCP_ADDRESSES[0]), config: {}, kind: 'disk', pattern: 0x11 },
  {
    over: 'a map of two paths',
    info: () => shared(TCP_ADDRESSES[0], TCP_ADDRESSES[1]),
    config: { volume_use_multipath: true, volume_enforce_multipath: true },
    kind: 'multipath',
    pattern: 0x21,
  },
] as const) {
  test(`two guests share a volume over ${over}; detach() of the last one removes it`, async () => {
    if (kind === 'multipath') await startMultipathd();
    try {
      await using driver = volumeDriver(config);
      const since = await readResidue();
      const first = await driver.attach(ONE, info(), SDB);
      const second = await driver.attach(OTHER, info(), SDB);
      assert.deepEqual(
        [first.volume.device.kind, second.volume.device.path, driver.commands.logins.length],
        [kind, first.volume.device.path, 1],
      );
      for (const {
        xml,
        driver: { cache },
      } of [...(await one.diskElements('live')), ...(await other.diskElements('live'))])
        assert.deepEqual([xml.includes('<shareable/>'), cache], [true, 'none']);
      await requireShared(pattern);
      assert.deepEqual(await driver.detach(ONE, info()), STAYS_FOR(other.name));
      await other.verify(ALIAS, pattern, 0, BLOCK);
      await other.write(ALIAS, pattern + 2, 0, BLOCK);
      assert.deepEqual(await driver.detach(OTHER, info()), { found: true, warnings: [] });
      await requireNothingLeft(since);
      await volume.flush();
      assert.deepEqual(volume.read(0, BLOCK), Buffer.alloc(BLOCK, pattern + 2));
    } finally {
      if (kind === 'multipath') await stopMultipathd();
    }
  });
}

test('guest that is shut off keeps a shared volume for its next start', async () => {
  await using driver = volumeDriver({});
  const info = shared(TCP_ADDRESSES[0]);
  const since = await readResidue();
  for (const domain of [ONE, OTHER]) await driver.attach(domain, info, SDB);
  await one.write(ALIAS, 0x31, 0, BLOCK);
  await other.powerOff();
  assert.deepEqual(await driver.detach(ONE, info), STAYS_FOR(other.name));
  await other.powerOn();
  await other.verify(ALIAS, 0x31, 0, BLOCK);
  assert.deepEqual(await driver.detach(OTHER, info), { found: true, warnings: [] });
  await requireNothingLeft(since);
});

test('detach() in two services at once: exactly one removes the shared volume', async () => {
  await using driver = volumeDriver({});
  await using another = volumeDriver({});
  const info = shared(TCP_ADDRESSES[0]);
  const since = await readResidue();
  for (const domain of [ONE, OTHER]) await driver.attach(domain, info, SDB);
  const released = await Promise.all([driver.detach(ONE, info), another.detach(OTHER, info)]);
  assert.deepEqual(
    released.map(({ found }) => found),
    [true, true],
  );
  assert.equal(
    [...driver.commands.ran, ...another.commands.ran].filter(({ args }) => args.includes('--logout')).length,
    1,
  );
  assert.deepEqual([await one.disks(), await other.disks()], [[], []]);
  await requireNothingLeft(since);
});
