import { spawn } from 'node:child_process';
import { Lines } from '../lines.js';

/** The exit status that stands for a time limit that passed. */
export const LATE = 124;

/**
 * Runs a scenario in a process of its own and gives each line that it or its reporter prints.
 * @returns its exit status
 */
export async function runScenarioProcess(
  scenario: string,
  limitSeconds: number,
  onLine: (line: string) => void,
): Promise<number> {
  const reporter = ['--test-reporter=/project/build/lab/machine/reporter.js', '--test-reporter-destination=stdout'];
  const child = spawn(process.execPath, ['--max-semi-space-size=64', ...reporter, `build/lab/machine/${scenario}.js`], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a process group, so that what it started can be ended with it
    env: { ...process.env, LAB_SCENARIO: scenario, LAB_OUT: `/out/${scenario}`, NO_COLOR: '1' },
  });
  const streams = [child.stdout, child.stderr].map((stream) => {
    const lines = new Lines(onLine);
    stream.setEncoding('utf8').on('data', (text: string) => {
      lines.push(text);
    });
    return lines;
  });
  const limit = AbortSignal.timeout(limitSeconds * 1000);
  limit.addEventListener('abort', () => {
    endGroup(child.pid);
  });
  const exitCode = await new Promise<number>((resolve) => {
    child.on('error', () => {
      resolve(127);
    });
    child.on('close', (code) => {
      resolve(code ?? 137);
    });
    // What a scenario left running keeps its output open: it is given a moment, not for ever.
    child.on('exit', (code) => {
      setTimeout(() => {
        resolve(code ?? 137);
      }, 2000).unref();
    });
  });
  for (const lines of streams) lines.end();
  return exitCode === 137 && limit.aborted ? LATE : exitCode;
}

function endGroup(leader: number | undefined): void {
  try {
    if (leader !== undefined) process.kill(-leader, 'SIGKILL');
  } catch {
    // it had just ended
  }
}
