import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, openSync, closeSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { MACHINE_INPUTS, machineKey } from './machine-key.js';
import { say } from './say.js';

const MACHINE = 'lab/machine';
const BUILD_LIMIT_MS = 15 * 60_000;

/** The folder with root.img, vmlinux, initramfs and guest-initramfs; built when there is none for the present inputs. */
export async function machineFolder(): Promise<string> {
  const cache = process.env['LIBVIRT_VOLUME_LAB_CACHE'] ?? join(homedir(), '.cache/libvirt-volume-drivers/lab');
  const key = machineKey(MACHINE_INPUTS.map((name) => [name, readFileSync(join(MACHINE, name), 'utf8')]));
  const folder = join(cache, key);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  await build(cache, folder);
  prune(cache, key);
  return folder;
}

/** Builds under another name and renames when whole, so that a build that was stopped is never taken for a machine. */
async function build(cache: string, folder: string): Promise<void> {
  for (const left of readdirSync(cache).filter((name) => name.startsWith('building-'))) rmSync(join(cache, left), { recursive: true, force: true });
  const building = mkdtempSync(join(cache, 'building-'));
  const log = join(cache, 'build.log');
  say(`Building the lab machine (about 100 s, 1 GB; once, until lab/machine changes). Log: ${log}`);
  const begin = performance.now();
  const ticks = setInterval(() => { say(`  still building: ${lastLine(log)}`); }, 15_000);
  try {
    await runBuild(building, log);
  } catch (error) {
    rmSync(building, { recursive: true, force: true });
    throw error;
  } finally {
    clearInterval(ticks);
  }
  renameSync(building, folder);
  say(`Built ${folder} in ${Math.round((performance.now() - begin) / 1000)} s`);
}

function runBuild(building: string, log: string): Promise<void> {
  const output = openSync(log, 'w');
  const child = spawn('bash', [join(MACHINE, 'build.sh'), building], { stdio: ['ignore', output, output], timeout: BUILD_LIMIT_MS });
  closeSync(output);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`Cannot build the lab machine: ${readFileSync(log, 'utf8').trim().split('\n').slice(-15).join('\n  ')}\nThe whole log: ${log}. To try it alone: bash ${MACHINE}/build.sh "$(mktemp -d)"`));
    });
  });
}

function prune(cache: string, key: string): void {
  for (const name of readdirSync(cache)) {
    if (/^[0-9a-f]{16}$/.test(name) && name !== key) rmSync(join(cache, name), { recursive: true, force: true });
  }
}

function lastLine(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split(/[\r\n]/).at(-1)?.slice(0, 100) ?? '';
}
