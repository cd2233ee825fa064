import { Worker } from 'node:worker_threads';

/** What was seen of the processes of the machine. */
export interface Sampled {
  /** Arguments or environment of a process in which one of the texts was: one line each. */
  readonly found: readonly string[];
  /** How many processes of each program were seen, by its name. */
  readonly seen: Readonly<Record<string, number>>;
  /** How often all of /proc was gone through. */
  readonly looks: number;
}

/**
 * A thread that does little but go through /proc. A new process is read at each look, as its arguments come with its
 * exec(2); one that stays is read again at each twentieth. What is looked for comes in by memory, so that the looking
 * itself shows it nowhere.
 */
const SAMPLER = `
const { readdirSync, readFileSync } = require('node:fs');
const { parentPort, workerData: { texts, stop } } = require('node:worker_threads');
const quietly = (file) => {
  try { return readFileSync(file, 'latin1').replaceAll('\\0', ' ').trim(); } catch { return ''; }
};
const young = 5;
const ages = new Map();
const found = new Set();
const programs = new Map();
let looks = 0;
parentPort.postMessage('ready');
while (Atomics.load(stop, 0) === 0) {
  const pids = readdirSync('/proc').filter((name) => name >= '1' && name < ':');
  for (const pid of pids) {
    const age = ages.get(pid) ?? 0;
    ages.set(pid, age + 1);
    if (age >= young && (age + looks) % 20 !== 0) continue;
    const words = quietly('/proc/' + pid + '/cmdline');
    const environment = quietly('/proc/' + pid + '/environ');
    if (words !== '') programs.set(pid + ' ' + words.split(' ')[0].split('/').at(-1), true);
    for (const text of texts) {
      if (words.includes(text)) found.add('arguments of ' + words);
      if (environment.includes(text)) found.add('environment of ' + words);
    }
  }
  for (const pid of ages.keys()) if (!pids.includes(pid)) ages.delete(pid);
  looks += 1;
  Atomics.wait(stop, 0, 0, 10);
}
const seen = {};
for (const key of programs.keys()) { const name = key.slice(key.indexOf(' ') + 1); seen[name] = (seen[name] ?? 0) + 1; }
parentPort.postMessage({ found: [...found], seen, looks });
`;

/**
 * Looks for the texts in the arguments and the environment of every process of the machine, again and again, as long as
 * the work takes.
 */
export async function sampleProcesses(texts: readonly string[], work: () => Promise<unknown>): Promise<Sampled> {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(SAMPLER, { eval: true, workerData: { texts, stop } });
  const failed = new Promise<never>((_resolve, reject) => {
    worker.once('error', reject);
  });
  const message = (): Promise<unknown> =>
    Promise.race([
      failed,
      new Promise((resolve) => {
        worker.once('message', resolve);
      }),
    ]);
  try {
    await message();
    const result = message();
    await work().finally(() => Atomics.store(stop, 0, 1));
    return (await result) as Sampled;
  } finally {
    Atomics.store(stop, 0, 1);
    await worker.terminate();
  }
}
