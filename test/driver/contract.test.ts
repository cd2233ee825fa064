import { describe, it } from '@jest/globals';
import { volumeDriverContract } from '../../src/testing/index.js';
import { openFakeWorld } from '../fakes/fake-world.js';

volumeDriverContract('LibvirtISCSIVolumeDriver on a fake host, tcp', { describe, it }, async () => openFakeWorld());
volumeDriverContract('LibvirtISCSIVolumeDriver on a fake host, iscsi_iface = "iser"', { describe, it }, async () => openFakeWorld({ iscsi_iface: 'iser', iscsi_iface_fallback: 'none' }));
volumeDriverContract('LibvirtISERVolumeDriver on a fake host', { describe, it }, async () => openFakeWorld({ iscsi_iface_fallback: 'none' }, 'iser'));
