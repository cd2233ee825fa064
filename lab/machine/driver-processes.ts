import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { run } from './commands.js';

/** What a process of the driver is to do. */
export interface Work {
  readonly call: 'connect' | 'disconnect';
  /** The `[libvirt]` table. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly infos: readonly object[];
}

/** What became of it. */
export interface Outcome {
  readonly ms: number;
  /** A line for each volume that failed. */
  readonly failures: readonly string[];
}

const PROGRAM = fileURLToPath(new URL('./driver-process.js', import.meta.url));
const LIMIT_MS = 300_000;

/** Spreads the volumes over as many processes of the driver, which work at the same time. */
export async function inProcesses(count: number, { infos, ...work }: Work): Promise<Outcome> {
  const began = performance.now();
  const shares = Array.from({ length: count }, (_unused, share) => infos.filter((_info, at) => at % count === share));
  const outcomes = await Promise.all(
    shares.map(async (share) => {
      const input = JSON.stringify({ ...work, infos: share } satisfies Work);
      return JSON.parse(await run(process.execPath, [PROGRAM], { input, timeoutMs: LIMIT_MS })) as Outcome;
    }),
  );
  return { ms: performance.now() - began, failures: outcomes.flatMap(({ failures }) => failures) };
}

/** Starts a process of the driver and kills it (SIGKILL) so long after it has begun with its volumes. */
export async function killedProcess(work: Work, afterMs: number): Promise<void> {
  const child = spawn(process.execPath, [PROGRAM], { stdio: ['pipe', 'ignore', 'pipe'] });
  child.stdin.end(JSON.stringify(work));
  await once(child.stderr, 'data');
  await sleep(afterMs);
  child.kill('SIGKILL');
  await once(child, 'close');
}
