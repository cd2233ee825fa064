import { ISER_ADDRESS, LioTarget, TCP_ADDRESSES } from './lio-target.js';
import { LioVolume } from './lio-volume.js';

/** Sets the shell's stage: one volume, reached over four TCP portals and one iSER portal. */
const volume = await LioVolume.create({ name: 'volume1' });
const target = new LioTarget({
  iqn: 'iqn.2026-11.org.example:volume1',
  luns: { 1: volume },
  portals: [...TCP_ADDRESSES.map((address) => ({ address })), { address: ISER_ADDRESS, iser: true }],
});
process.stdout.write(`
Target ${target.iqn}, LUN 1, at ${TCP_ADDRESSES.join(', ')} over TCP and at ${ISER_ADDRESS} over iSER.
multipathd and libvirtd are up.
The project is in /project (its programs: /project/build/lab/machine), the results folder in /out.
Leave the shell to power the machine off.
`);
