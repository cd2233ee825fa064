import {
  closeSync,
  constants,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeSync,
} from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { TRANSIENT_OPENERS } from '../device-users.js';
import type { BlockingAnswer, BlockingJob } from './blocking-job.js';

type Users = Extract<BlockingAnswer, { kind: 'done' }>['users'];

parentPort?.on('message', (job: BlockingJob) => {
  parentPort?.postMessage(answer(job));
});

function answer(job: BlockingJob): BlockingAnswer {
  try {
    return { kind: 'done', users: perform(job) };
  } catch (error) {
    return { kind: 'failed', code: codeOf(error) ?? '', message: String(error) };
  }
}

function perform(job: BlockingJob): Users {
  switch (job.kind) {
    case 'write':
      withOpen(job.path, constants.O_WRONLY, (file) => {
        writeSync(file, job.text);
      });
      return [];
    case 'sync':
      withOpen(job.path, constants.O_RDONLY, fsyncSync);
      return [];
    case 'users':
      return [...kernelUse(job.path), ...processesWith(job)];
    default:
      return job satisfies never;
  }
}

function withOpen(path: string, flags: number, work: (file: number) => void): void {
  const file = openSync(path, flags);
  try {
    work(file);
  } finally {
    closeSync(file);
  }
}

/**
 * A mount, swap, LVM or device-mapper claims the disk or a part of it; an exclusive open is refused then (Linux,
 * block/bdev.c, bd_prepare_to_claim).
 */
function kernelUse(path: string): Users {
  try {
    withOpen(path, constants.O_RDONLY | constants.O_EXCL, () => undefined);
    return [];
  } catch (error) {
    if (codeOf(error) === 'EBUSY') return [{ pid: 0, name: 'the kernel (a mount, swap, LVM or device-mapper)' }];
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENXIO') return [];
    throw error;
  }
}

/** Compares device numbers, not names: a guest's QEMU may see the disk under another name in its own namespace. */
function processesWith({ numbers }: Extract<BlockingJob, { kind: 'users' }>): Users {
  const wanted = new Set(numbers);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      if (!filesOf(pid).some((file) => wanted.has(deviceNumber(file) ?? ''))) return [];
      const name = quietly(() => readFileSync(`/proc/${pid}/comm`, 'utf8').trim());
      return name === undefined || TRANSIENT_OPENERS.has(name) ? [] : [{ pid: Number(pid), name }];
    });
}

function filesOf(pid: string): readonly string[] {
  const folder = `/proc/${pid}/fd`;
  return (quietly(() => readdirSync(folder)) ?? []).map((name) => `${folder}/${name}`);
}

function deviceNumber(file: string): string | undefined {
  return quietly(() => {
    if (!readlinkSync(file).startsWith('/dev/')) return undefined;
    const status = statSync(file);
    return status.isBlockDevice() ? `${major(status.rdev)}:${minor(status.rdev)}` : undefined;
  });
}

/** Linux, include/linux/kdev_t.h and glibc's makedev: 12 bits of major around 8 + 12 bits of minor. */
function major(device: number): number {
  return Math.floor(device / 0x100) & 0xfff;
}

function minor(device: number): number {
  return (device & 0xff) | ((Math.floor(device / 0x1000) & 0xfffff00) >>> 0);
}

/** A process may end while we look. */
function quietly<Result>(look: () => Result): Result | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
