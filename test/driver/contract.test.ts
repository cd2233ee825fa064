import { describe, it } from '@jest/globals';
import { volumeDriverContract } from '../../src/testing/index.js';
import { openFakeWorld } from '../fakes/fake-world.js';

volumeDriverContract('LibvirtISCSIVolumeDriver on a fake host, tcp', { describe, it }, async () => openFakeWorld());
volumeDriverContract('LibvirtISCSIVolumeDriver on a fake host, iscsi_iface = "iser"', { describe, it }, async () =>
  openFakeWorld({ iscsi_iface: 'iser', iscsi_iface_fallback: 'none' }),
);
volumeDriverContract('LibvirtISERVolumeDriver on a fake host', { describe, it }, async () =>
  openFakeWorld({ iscsi_iface_fallback: 'none' }, 'iser'),
);
volumeDriverContract('LibvirtISCSIVolumeDriver on a fake host, multipath', { describe, it }, async () => {
  const world = openFakeWorld({ volume_use_multipath: true, volume_enforce_multipath: true });
  world.host.kernel.multipathd.start();
  return { ...world, processLimits: { connect: 5, disconnect: 3 } };
});
