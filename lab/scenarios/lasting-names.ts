// needs: libvirt
// limit: 900 s
import assert from 'node:assert/strict';
import { isVolumeError } from '../../src/index.js';
import { run } from '../machine/commands.js';
import { connectionInfo } from '../machine/connection-info.js';
import { LioTarget, TCP_ADDRESSES } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { PersistentDomain } from '../machine/persistent-domain.js';
import { requireNothingLeft } from '../machine/require-nothing-left.js';
import { readResidue } from '../machine/residue.js';
import { after, before, test } from '../machine/scenario.js';
import { libvirtdUp, startMultipathd, stopMultipathd } from '../machine/services.js';
import { volumeDriver } from '../machine/volume-driver.js';
import { waitFor } from '../machine/wait-for.js';

/** What a guest is started from names a volume so that the kernel's names may change: real udev, real libvirt. */
const IQN = 'iqn.2026-11.org.example:lasting-names';
const GUEST = 'lasting-names';
const BLOCK = 4096;
let volume: LioVolume;
let other: LioVolume;
let target: LioTarget;
let guest: PersistentDomain;

before(async () => {
  volume = await LioVolume.create({ name: 'lasting' });
  other = await LioVolume.create({ name: 'lasting-other' });
  target = new LioTarget({
    iqn: IQN,
    luns: { 1: volume, 2: other },
    portals: [{ address: TCP_ADDRESSES[0] }, { address: TCP_ADDRESSES[1] }],
  });
  await libvirtdUp();
  guest = await PersistentDomain.define(GUEST);
});

after(async () => {
  await guest.stop();
  target.remove();
  for (const one of [volume, other]) await one.remove();
});

interface Way {
  readonly over: string;
  readonly addresses: readonly [string, ...string[]];
  readonly config: Readonly<Record<string, unknown>>;
  /** What udev calls it, less the WWID. */
  readonly prefix: string;
  readonly diskInfo: object;
  /** What libvirt shall keep of the disk_info. */
  readonly kept: readonly RegExp[];
  /**
   * What QEMU knows the disk by; a virtio disk has its backend in a device below its own (QEMU, hw/virtio/virtio.c,
   * virtio_instance_init_common).
   */
  readonly device: (alias: string) => string;
  readonly pattern: number;
}

const WAYS: readonly Way[] = [
  {
    over: 'a disk',
    addresses: [TCP_ADDRESSES[0]],
    config: {},
    prefix: 'scsi-',
    device: (alias) => alias,
    pattern: 0xa7,
    diskInfo: {
      dev: 'sdb',
      bus: 'scsi',
      error_policy: 'report',
      rerror_policy: 'stop',
      detect_zeroes: 'on',
      rotation_rate: 1,
    },
    kept: [
      /error_policy='report' rerror_policy='stop'/,
      /detect_zeroes='on'/,
      /<target dev='sdb' bus='scsi' rotation_rate='1'\/>/,
    ],
  },
  {
    over: 'a map',
    addresses: [TCP_ADDRESSES[0], TCP_ADDRESSES[1]],
    config: { volume_use_multipath: true, volume_enforce_multipath: true },
    prefix: 'dm-uuid-mpath-',
    device: (alias) => `/machine/peripheral/${alias}/virtio-backend`,
    pattern: 0xb8,
    diskInfo: { dev: 'vdb', bus: 'virtio', iothread: 1, queues: 2 },
    kept: [/iothread='1' queues='2'/],
  },
];

for (const way of WAYS) {
  test(`restarted guest has its volume, over ${way.over}, under a persistent name (W-17, W-28, R71)`, async () => {
    const domain = { kind: 'name', name: GUEST } as const;
    const info = connectionInfo(volume, target, 1, way.addresses);
    const otherInfo = connectionInfo(other, target, 2, way.addresses);
    const source = `<source dev='/dev/disk/by-id/${way.prefix}${volume.wwid}'`;
    if (way.over === 'a map') await startMultipathd();
    try {
      const clean = await readResidue();
      await using driver = volumeDriver(way.config);
      await guest.boot();
      const began = performance.now();
      const attached = await driver.attach(domain, info, way.diskInfo);
      console.log(`${way.over}: attached in ${Math.round(performance.now() - began)} ms`);
      assert.deepEqual(attached.volume.warnings, []);
      for (const xml of [await guest.xml(), await guest.storedXml()]) {
        assert.ok(xml.includes(source), xml);
        for (const kept of way.kept) assert.match(xml, kept);
      }
      await guest.write(way.device(`ua-${volume.name}`), way.pattern, BLOCK, BLOCK);
      assert.ok(
        isVolumeError(
          await driver.disconnect(info).then(
            () => undefined,
            (error: unknown) => error,
          ),
          'DEVICE_IN_USE',
        ),
      );

      await guest.shutOff();
      await driver.disconnect(info);
      const now = await waitFor(
        'the volumes to come under other names',
        async () => {
          const first = await driver.connect(otherInfo);
          const second = await driver.connect(info);
          if (first.device.path === attached.volume.device.path) return { first, second };
          for (const one of [otherInfo, info]) await driver.disconnect(one);
          return undefined;
        },
        120_000,
      );
      console.log(
        `${way.over}: ${attached.volume.device.path} before; now ${now.second.device.path}, and ` +
          `${now.first.device.path} is another volume`,
      );
      await run('udevadm', ['settle']); // connect() does not wait for the name, and libvirt starts no guest without it
      await guest.boot();
      await guest.verify(way.device(`ua-${volume.name}`), way.pattern, BLOCK, BLOCK);
      await guest.shutOff();
      assert.deepEqual(await driver.detach(domain, info), { found: true, warnings: [] });
      assert.ok(!(await guest.storedXml()).includes(source));
      await driver.disconnect(otherInfo);
      await requireNothingLeft(clean);
    } finally {
      if (way.over === 'a map') await stopMultipathd();
    }
  });
}
