// releases: 13 12
// takes: 65 s
// limit: 900 s
import { describe, it } from 'node:test';
import { volumeDriverContract } from '../../src/testing/index.js';
import { openKernelWorld } from '../machine/kernel-world.js';

/** That LibvirtISERVolumeDriver does the same is told by either-iser-driver. */
volumeDriverContract(
  'LibvirtISCSIVolumeDriver on the kernel, iscsi_iface = "iser"',
  { describe: (name, body) => void describe(name, body), it: (name, body) => void it(name, body) },
  async () => await openKernelWorld({ serves: 'iser', config: { iscsi_iface: 'iser', iscsi_iface_fallback: 'none' } }),
);
