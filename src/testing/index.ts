export { volumeDriverContract, type TestFramework } from './volume-driver-contract.js';
export type { PublishedVolume, VolumeWorld } from './volume-world.js';
