import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  openSync,
  closeSync,
} from 'node:fs';
import { spawn } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { MACHINE_INPUTS, machineKey, outdatedImages } from './machine-key.js';
import type { Release } from './releases.js';
import { say } from './say.js';

const MACHINE = 'lab/image';
const BUILD_LIMIT_MS = 15 * 60_000;

/**
 * The folder with root.img, vmlinux, initramfs and guest-initramfs; built when there is none for the present inputs.
 * Each release has one.
 */
export async function machineFolder(release: Release): Promise<string> {
  const cache = process.env['LIBVIRT_VOLUME_LAB_CACHE'] ?? join(homedir(), '.cache/libvirt-volume-drivers/lab');
  const inputs = MACHINE_INPUTS.map((name) => [name, readFileSync(join(MACHINE, name), 'utf8')] as const);
  const name = `${release.name}-${machineKey([...inputs, ['release', JSON.stringify(release)]])}`;
  const folder = join(cache, name);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  await build(cache, folder, release);
  for (const outdated of outdatedImages(readdirSync(cache), name))
    rmSync(join(cache, outdated), { recursive: true, force: true });
  return folder;
}

/** Builds under another name and renames when whole, so that a build that was stopped is never taken for a machine. */
async function build(cache: string, folder: string, release: Release): Promise<void> {
  for (const left of readdirSync(cache).filter((name) => name.startsWith('building-')))
    rmSync(join(cache, left), { recursive: true, force: true });
  const building = mkdtempSync(join(cache, 'building-'));
  const log = join(cache, `build-${release.name}.log`);
  say(
    `Building the lab machine of Debian ${release.name} (about 100 s, 1 GB; once, until lab/image changes). Log: ` +
      log,
  );
  const begin = performance.now();
  const ticks = setInterval(() => {
    say(`  still building: ${lastLine(log)}`);
  }, 15_000);
  try {
    await runBuild(building, log, release);
  } catch (error) {
    rmSync(building, { recursive: true, force: true });
    throw error;
  } finally {
    clearInterval(ticks);
  }
  renameSync(building, folder);
  say(`Built ${folder} in ${Math.round((performance.now() - begin) / 1000)} s`);
}

function runBuild(building: string, log: string, release: Release): Promise<void> {
  const output = openSync(log, 'w');
  const child = spawn('bash', [join(MACHINE, 'build.sh'), release.name, building], {
    stdio: ['ignore', output, output],
    timeout: BUILD_LIMIT_MS,
  });
  closeSync(output);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === 0) resolve();
      else
        reject(
          new Error(
            'Cannot build the lab machine: ' +
              `${readFileSync(log, 'utf8').trim().split('\n').slice(-15).join('\n  ')}\nThe whole log: ${log}. To ` +
              `try it alone: bash ${MACHINE}/build.sh ${release.name} "$(mktemp -d)"`,
          ),
        );
    });
  });
}

function lastLine(file: string): string {
  return (
    readFileSync(file, 'utf8')
      .trimEnd()
      .split(/[\r\n]/)
      .at(-1)
      ?.slice(0, 100) ?? ''
  );
}
