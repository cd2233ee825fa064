// releases: 13 12
// takes: 60 s
// limit: 900 s
import { describe, it } from 'node:test';
import { volumeDriverContract } from '../../src/testing/index.js';
import { openKernelWorld } from '../machine/kernel-world.js';

volumeDriverContract(
  'LibvirtISCSIVolumeDriver on the kernel, tcp',
  { describe: (name, body) => void describe(name, body), it: (name, body) => void it(name, body) },
  async () => await openKernelWorld(),
);
