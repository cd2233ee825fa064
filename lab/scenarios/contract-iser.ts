// limit: 240 s
import { describe, it } from 'node:test';
import { volumeDriverContract } from '../../src/testing/index.js';
import { openKernelWorld } from '../guest/kernel-world.js';

const framework = { describe: (name: string, body: () => void) => void describe(name, body), it: (name: string, body: () => Promise<void>) => void it(name, body) };

volumeDriverContract('LibvirtISCSIVolumeDriver on the kernel, iscsi_iface = "iser"', framework, async () =>
  await openKernelWorld({ serves: 'iser', config: { iscsi_iface: 'iser', iscsi_iface_fallback: 'none' } }));
volumeDriverContract('LibvirtISERVolumeDriver on the kernel', framework, async () => await openKernelWorld({ serves: 'iser', volumeType: 'iser', config: { iscsi_iface_fallback: 'none' } }));
