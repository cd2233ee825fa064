import assert from 'node:assert/strict';
import { isVolumeError } from '../../src/index.js';
import { connectionInfo } from '../machine/connection-info.js';
import { LioTarget, TCP_ADDRESSES } from '../machine/lio-target.js';
import { LioVolume } from '../machine/lio-volume.js';
import { holdOpen } from '../machine/hold-open.js';
import { test } from '../machine/scenario.js';
import { volumeDriver } from '../machine/volume-driver.js';

/**
 * The storage puts another volume under a LUN that this host still has a disk of: what an attach gets must be the
 * volume that is there now.
 */
const IQN = 'iqn.2026-11.org.example:remapped-lun';
const LUN = 1;

for (const inUse of [false, true]) {
  test(
    inUse
      ? 'a remapped LUN whose disk is in use is refused'
      : 'a remapped LUN whose disk nobody uses comes anew as what it is now',
    async () => {
      await using before = await LioVolume.create({ name: 'remapped-before' });
      await using now = await LioVolume.create({ name: 'remapped-now', sizeMiB: 96 });
      using target = new LioTarget({ iqn: IQN, luns: { [LUN]: before }, portals: [{ address: TCP_ADDRESSES[0] }] });
      await using driver = volumeDriver({ device_timeout_seconds: 10 });
      const connection = connectionInfo(before, target, LUN, [TCP_ADDRESSES[0]]);
      const { device } = await driver.connect(connection);
      assert.equal(device.wwid, before.wwid);
      const letGo = inUse ? await holdOpen(device.path) : async (): Promise<void> => undefined;
      target.removeLun(LUN);
      target.addLun(LUN, now);

      const outcome = await driver.connect(connection).catch((error: unknown) => error);
      await letGo();
      if (inUse) {
        assert.ok(isVolumeError(outcome, 'DEVICE_MISMATCH'), String(outcome));
        assert.deepEqual([outcome.details.before, outcome.details.now], [before.wwid, now.wwid]);
      } else {
        assert.deepEqual(
          await driver
            .find(connection)
            .then((volume) => ({ wwid: volume?.device.wwid, sizeBytes: volume?.device.sizeBytes })),
          { wwid: now.wwid, sizeBytes: 96 * 2 ** 20 },
        );
      }
      await driver.disconnect(connection);
    },
  );
}
