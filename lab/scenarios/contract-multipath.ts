// releases: 13 12
// takes: 105 s
// limit: 900 s
import { describe, it } from 'node:test';
import { volumeDriverContract } from '../../src/testing/index.js';
import { openKernelWorld } from '../machine/kernel-world.js';
import { ASKS_BY_SOCKET } from '../machine/recorded-commands.js';
import { after, before } from '../machine/scenario.js';
import { startMultipathd, stopMultipathd } from '../machine/services.js';

before(async () => {
  await startMultipathd();
});
after(async () => {
  await stopMultipathd();
});

volumeDriverContract(
  'LibvirtISCSIVolumeDriver on the kernel, two paths and a map',
  { describe: (name, body) => void describe(name, body), it: (name, body) => void it(name, body) },
  async () =>
    await openKernelWorld({
      portals: 2,
      config: { volume_use_multipath: true, volume_enforce_multipath: true, device_timeout_seconds: 12 },
      processLimits: { connect: 5, disconnect: ASKS_BY_SOCKET ? 3 : 5 },
    }),
);
