import { close as closeFile, open as openFile, read as readFile } from 'node:fs';
import { link, lstat, mkdir, open, readdir, realpath, rename, rm, rmdir, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { encodeText } from '../../base/byte-text.js';
import { VolumeError } from '../../base/volume-error.js';
import type { DeviceUser, DeviceUsers } from '../device-users.js';
import type { FileKind, FileSystem } from '../file-system.js';
import type { BlockingJob } from './blocking-job.js';
import { BlockingWorkers } from './blocking-workers.js';
import { whileFilesMayOpen } from './open-files.js';

const openedFile = promisify(openFile);
const readInto = promisify(readFile);
const closedFile = promisify(closeFile);
/** More than an attribute of sysfs can be (fs/sysfs/file.c: one page). */
const CHUNK = 8_192;

/** Everything in sysfs and procfs may go between two looks; these are the ways in which the kernel says so. */
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ENODEV', 'ENXIO', 'EIO', 'EINVAL', 'ENOTCONN', 'ESRCH', 'EISDIR']);
/** Of a file on a disk, an I/O error does not say that it is not there: a new one would be written over it. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'EISDIR']);
/**
 * An attribute whose driver has no answer: be2iscsi says EBUSY of a card in error (be_iscsi.c, beiscsi_get_host_param);
 * a device without the thing ENOTSUP or ENOSYS.
 */
const NO_ANSWER = new Set(['EBUSY', 'EAGAIN', 'ETIMEDOUT', 'ENOTSUP', 'ENOSYS']);
const NOTHING_THERE: ReadonlySet<string> = new Set([...GONE, ...NO_ANSWER]);
const VANISHED = new Set(['ENOENT', 'ENODEV', 'ENXIO']);
const FORBIDDEN = new Set(['EACCES', 'EPERM', 'EROFS']);

/**
 * One set for the process: libuv's threads are the process's, and a worker thread that is there serves whoever comes.
 */
const WORKERS = new BlockingWorkers();

/** The host's own files. */
export class NodeFileSystem implements FileSystem, DeviceUsers {
  async readText(path: string): Promise<string | undefined> {
    return (await unlessGone(path, () => whileFilesMayOpen(() => readBytesOf(path))))
      ?.toString('utf8')
      .replace(/\n$/, '');
  }

  async readBytes(path: string): Promise<Uint8Array | undefined> {
    return await unlessGone(path, () => whileFilesMayOpen(() => readBytesOf(path)), ABSENT);
  }

  async list(directory: string): Promise<readonly string[]> {
    return ((await unlessGone(directory, () => whileFilesMayOpen(() => readdir(directory)))) ?? []).toSorted();
  }

  async realPath(path: string): Promise<string | undefined> {
    return await unlessGone(path, () => realpath(path));
  }

  async kind(path: string): Promise<FileKind | undefined> {
    const status = await unlessGone(path, () => stat(path));
    if (status === undefined) return undefined;
    if (status.isFile()) return 'file';
    if (status.isDirectory()) return 'directory';
    return status.isBlockDevice() ? 'block-device' : 'other';
  }

  async makeDirectory(path: string, mode: number): Promise<void> {
    await allowed(path, () => mkdir(path, { recursive: true, mode }));
  }

  async replace(path: string, text: string, mode: number, temporary: string): Promise<void> {
    await allowed(path, async () => {
      await rm(temporary, { force: true });
      await writeNew(temporary, text, mode);
      await rename(temporary, path);
    });
  }

  async create(path: string, text: string, mode: number): Promise<void> {
    await allowed(path, () => writeNew(path, text, mode));
  }

  async rename(path: string, to: string): Promise<boolean> {
    return await allowed(to, async () => {
      try {
        await rename(path, to);
        return true;
      } catch (error) {
        if (codeOf(error) === 'ENOENT' && (await unlessGone(path, () => lstat(path))) === undefined) return false;
        throw error;
      }
    });
  }

  async link(existing: string, path: string): Promise<boolean> {
    return await allowed(path, async () => {
      try {
        await link(existing, path);
        return true;
      } catch (error) {
        if (codeOf(error) === 'EEXIST') return false;
        throw error;
      }
    });
  }

  async remove(path: string): Promise<void> {
    if ((await unlessGone(path, () => lstat(path))) === undefined) return;
    await allowed(path, () => rm(path, { force: true }));
  }

  async removeDirectory(path: string): Promise<boolean> {
    return await allowed(path, async () => {
      try {
        await rmdir(path);
        return true;
      } catch (error) {
        const code = codeOf(error) ?? '';
        if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
        if (code === 'ENOENT') return true;
        throw error;
      }
    });
  }

  async writeAttribute(path: string, text: string, signal: AbortSignal): Promise<void> {
    await this.#blocking({ kind: 'write', path, text }, signal);
  }

  async syncDevice(path: string, signal: AbortSignal): Promise<void> {
    await this.#blocking({ kind: 'sync', path }, signal);
  }

  hasStuckWrite(path: string): boolean {
    return WORKERS.hasLeft(path);
  }

  async usersOf(devicePath: string, numbers: readonly string[], signal: AbortSignal): Promise<readonly DeviceUser[]> {
    return await this.#blocking({ kind: 'users', path: devicePath, numbers }, signal);
  }

  async #blocking(job: BlockingJob, signal: AbortSignal): Promise<readonly DeviceUser[]> {
    const answer = await WORKERS.run(job, signal);
    if (answer.kind === 'done') return answer.users;
    if (FORBIDDEN.has(answer.code)) throw forbidden(job.path, answer.message);
    if (VANISHED.has(answer.code)) throw vanished(job.path, answer.message);
    throw new Error(`${job.kind} ${job.path}: ${answer.message}`);
  }
}

/**
 * As readFile() of `node:fs/promises`, in half its time for a small file: no stat, no object for the handle. A look at
 * the hardware reads some hundred. It is not synchronous, though sysfs is memory: some attributes ask a card's
 * firmware. A short read is no end: procfs ends a read where a line ends.
 */
async function readBytesOf(path: string): Promise<Buffer> {
  const file = await openedFile(path, 'r');
  try {
    const chunks: Buffer[] = [];
    for (let buffer = Buffer.allocUnsafe(CHUNK), filled = 0; ;) {
      const { bytesRead } = await readInto(file, buffer, filled, buffer.length - filled, null);
      filled += bytesRead;
      if (bytesRead !== 0 && filled < buffer.length) continue;
      chunks.push(buffer.subarray(0, filled));
      if (bytesRead === 0) return chunks.length === 1 ? buffer.subarray(0, filled) : Buffer.concat(chunks);
      [buffer, filled] = [Buffer.allocUnsafe(buffer.length * 4), 0];
    }
  } finally {
    await closedFile(file);
  }
}

async function writeNew(path: string, text: string, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(encodeText(text));
    await file.sync();
  } finally {
    await file.close();
  }
}

async function unlessGone<Result>(
  path: string,
  look: () => Promise<Result>,
  gone: ReadonlySet<string> = NOTHING_THERE,
): Promise<Result | undefined> {
  try {
    return await look();
  } catch (error) {
    const code = codeOf(error) ?? '';
    if (gone.has(code)) return undefined;
    if (FORBIDDEN.has(code)) throw forbidden(path, error);
    throw error;
  }
}

async function allowed<Result>(path: string, deed: () => Promise<Result>): Promise<Result> {
  try {
    return await deed();
  } catch (error) {
    if (FORBIDDEN.has(codeOf(error) ?? '')) throw forbidden(path, error);
    throw error;
  }
}

/** A device that went while it was being written to. */
export function vanished(path: string, cause: unknown): VolumeError {
  return new VolumeError('DEVICE_NOT_FOUND', `Cannot write to ${path}: it is gone`, { cause });
}

function forbidden(path: string, cause: unknown): VolumeError {
  return new VolumeError('PERMISSION_DENIED', `Cannot use ${path}: this user may not`, {
    cause,
    hint: 'run as root, or set root_helper = ["sudo", "-n"]',
  });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
