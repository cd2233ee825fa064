// needs: libvirt
// takes: 95 s
// limit: 900 s
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { LibvirtVolumeDriver } from '../../src/driver/libvirt-volume-driver.js';
import { connectionInfo } from '../machine/connection-info.js';
import { Domain } from '../machine/domain.js';
import { ISER_ADDRESS, LioTarget, TCP_ADDRESSES } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { ProcessTrace } from '../machine/process-trace.js';
import { ASKS_BY_SOCKET } from '../machine/recorded-commands.js';
import { requireNothingLeft } from '../machine/require-nothing-left.js';
import { readResidue, type Residue } from '../machine/residue.js';
import { after, before, test } from '../machine/scenario.js';
import { libvirtdUp, startMultipathd, stopMultipathd } from '../machine/services.js';
import { volumeDriver } from '../machine/volume-driver.js';

/**
 * How many processes each call costs, as the kernel counts them: those of the driver, those that hold its locks, and
 * whatever any of them starts.
 */
const IQN = 'iqn.2026-11.org.example:process-counts';
const LOCK = 'flock > sh > rm';
let trace: ProcessTrace;
let one: LioVolume;
let two: LioVolume;
let guest: Domain;
let clean: Residue;

before(async () => {
  trace = await ProcessTrace.open();
  one = await LioVolume.create({ name: 'counts-one' });
  two = await LioVolume.create({ name: 'counts-two' });
  await libvirtdUp();
  guest = await Domain.start({ name: 'process-counts' });
  clean = await readResidue();
});

after(async () => {
  trace[Symbol.dispose]();
  await guest.stop();
  await one.remove();
  await two.remove();
});

/** What the body started, by name, sorted. */
async function started(what: string, body: () => Promise<unknown>): Promise<readonly string[]> {
  const processes = (await trace.during(body)).map((programs) => programs.join(' > ') || 'a copy');
  console.log(`${what}: ${processes.length}: ${processes.join(', ')}`);
  return processes.toSorted();
}

test('ProcessTrace counts as the kernel does: also a process that ends at once, and its children', async () => {
  await using driver = volumeDriver({});
  const seen = await started(
    'sh',
    async () =>
      await driver.commands.run(
        { program: 'sh', args: ['-c', '(exit 0); true; /bin/true'], patience: { kind: 'kill', ms: 10_000 } },
        AbortSignal.timeout(20_000),
      ),
  );
  assert.ok(seen.includes('sh') && seen.length >= 2, seen.join());
});

for (const [iface, address] of [
  ['default', TCP_ADDRESSES[0]],
  ['iser', ISER_ADDRESS],
] as const) {
  test(`one path over ${iface}: attach() starts 2 processes, a second LUN no iscsiadm, detach() 2`, async () => {
    {
      using target = new LioTarget({
        iqn: IQN,
        luns: { 1: one, 2: two },
        portals: [{ address, iser: iface === 'iser' }],
      });
      await using driver = volumeDriver({ iscsi_iface: iface, iscsi_iface_fallback: 'none' });
      const domain = { kind: 'name', name: guest.name } as const;
      const [first, second] = [connectionInfo(one, target, 1, [address]), connectionInfo(two, target, 2, [address])];
      assert.deepEqual(
        await started('attach', async () => await driver.attach(domain, first, { dev: 'sdb', bus: 'scsi' })),
        [LOCK, 'iscsiadm'],
      );
      assert.deepEqual(
        await started(
          'attach a second LUN',
          async () => await driver.attach(domain, second, { dev: 'sdc', bus: 'scsi' }),
        ),
        [LOCK],
      );
      await two.resize(96);
      assert.deepEqual(await started('extend', async () => await driver.extend(second, { domain })), [LOCK]);
      assert.deepEqual(await started('detach', async () => await driver.detach(domain, second)), [LOCK]);
      assert.deepEqual(await started('detach the last LUN', async () => await driver.detach(domain, first)), [
        LOCK,
        'iscsiadm',
      ]);
      await two.resize(64);
    }
    await requireNothingLeft(clean);
  });
}

/**
 * What is asked of multipathd is a process each where Node cannot reach its socket: when a map goes "del map" and "show
 * paths", and reminders of a new disk, of which a host that is slow with its uevents sees more: after 0.5 s, 2 s, 6.5 s
 * and 20 s (src/device/multipath/multipath-maps.ts), and one of a disk that came later.
 */
const asksWithin = (ms: number): number =>
  ASKS_BY_SOCKET ? 0 : Math.max(2, 1 + [500, 2_000, 6_500, 20_000, 60_500].filter((reminder) => reminder < ms).length);

test(`four paths and a map: connect() starts 3 processes, a second LUN no iscsiadm, disconnect() 3`, async () => {
  const withoutAsking = async (what: string, body: () => Promise<unknown>): Promise<readonly string[]> => {
    const began = performance.now();
    const all = await started(what, body);
    const others = all.filter((programs) => programs !== 'multipathd');
    assert.ok(
      all.length - others.length <= asksWithin(performance.now() - began),
      `${all.join()} in ${Math.round(performance.now() - began)} ms`,
    );
    return others;
  };
  const given = readFileSync('/etc/multipath.conf', 'utf8');
  await startMultipathd('defaults {\n find_multipaths strict\n user_friendly_names yes\n skip_kpartx yes\n}\n');
  try {
    {
      using target = new LioTarget({
        iqn: IQN,
        luns: { 1: one, 2: two },
        portals: TCP_ADDRESSES.map((address) => ({ address })),
      });
      await using driver = volumeDriver({ volume_use_multipath: true, volume_enforce_multipath: true });
      // Paths whose login takes longer join when the call has returned.
      const connectWhole = async (info: object): Promise<void> => {
        await driver.connect(info);
        assert.ok(driver instanceof LibvirtVolumeDriver);
        await driver.settled();
        assert.equal((await driver.find(info))?.paths.length, 4);
      };
      const [first, second] = [
        connectionInfo(one, target, 1, TCP_ADDRESSES),
        connectionInfo(two, target, 2, TCP_ADDRESSES),
      ];
      assert.deepEqual(
        await withoutAsking('connect', async () => {
          await connectWhole(first);
        }),
        [LOCK, 'iscsiadm', 'multipath'],
      );
      assert.deepEqual(
        await withoutAsking('connect a second LUN', async () => {
          await connectWhole(second);
        }),
        [LOCK, 'multipath'],
      );
      await two.resize(96);
      assert.deepEqual(await withoutAsking('extend', async () => await driver.extend(second)), [LOCK]);
      assert.deepEqual(await withoutAsking('disconnect', async () => await driver.disconnect(second)), [
        LOCK,
        'multipath',
      ]);
      assert.deepEqual(await withoutAsking('disconnect the last LUN', async () => await driver.disconnect(first)), [
        LOCK,
        'iscsiadm',
        'multipath',
      ]);
    }
    await requireNothingLeft(clean);
  } finally {
    await stopMultipathd();
    writeFileSync('/etc/multipath.conf', given);
  }
});
