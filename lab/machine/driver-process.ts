import { text } from 'node:stream/consumers';
import { isVolumeError } from '../../src/base/volume-error.js';
import type { Outcome, Work } from './driver-processes.js';
import { volumeDriver } from './volume-driver.js';

/** A process of the driver's own: does to every volume what it is told on standard input, all at once. */
const { call, config, infos } = JSON.parse(await text(process.stdin)) as Work;
await using driver = volumeDriver(config);
process.stderr.write('begins\n');
const began = performance.now();
const results = await Promise.allSettled(infos.map((info) => driver[call](info)));
const failures = results.flatMap((result) => (result.status === 'fulfilled' ? [] : [describe(result.reason)]));
const outcome: Outcome = { ms: performance.now() - began, failures };
process.stdout.write(JSON.stringify(outcome));

function describe(error: unknown): string {
  return isVolumeError(error) ? `${error.code}: ${error.message}` : String(error);
}
