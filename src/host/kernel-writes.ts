import { throwIfAborted } from '../base/aborted.js';
import type { Logger } from '../base/logger.js';
import { isVolumeError, VolumeError } from '../base/volume-error.js';
import type { Clock } from './clock.js';
import type { FileSystem } from './file-system.js';

export interface KernelWriteParts {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** An INQUIRY of a scan has 20 s (Linux, drivers/scsi/scsi_scan.c, scsi_inq_timeout). */
export const SCAN_MS = 30_000;
/**
 * open-iscsi takes a target that says nothing for dead after 10 s (node.conn[0].timeo.noop_out_interval and
 * noop_out_timeout, 5 s each); what asks it after that waits for the replacement timeout.
 */
export const RESCAN_MS = 15_000;
/** A delete waits for I/O in flight: the SCSI timeout is 30 s (Linux, drivers/scsi/sd.h, SD_TIMEOUT). */
export const DELETE_MS = 40_000;
/** A number that the kernel stores (Linux, drivers/scsi/scsi_transport_iscsi.c): it asks no target. */
export const RECOVERY_TMO_MS = 5_000;
/**
 * Longer than a session's replacement timeout (120 s): after that a dead path fails its I/O, and only a map that queues
 * would still wait.
 */
export const FLUSH_MS = 180_000;

const LIMITS_MS = {
  scan: SCAN_MS,
  rescan: RESCAN_MS,
  delete: DELETE_MS,
  recovery_tmo: RECOVERY_TMO_MS,
} as const;

/** A sysfs attribute that this library writes to, by its name. */
export type KernelWrite = keyof typeof LIMITS_MS;

/**
 * Everything that makes the kernel work and may block, each kind with its limit. A write that outlasts its limit stays
 * on its thread, for no thread can be taken back from the kernel; until it ends, no other is begun to the same file.
 */
export class KernelWrites {
  readonly #parts: KernelWriteParts;

  constructor(parts: KernelWriteParts) {
    this.#parts = parts;
  }

  /**
   * @param folder of the attribute
   * @throws {VolumeError} `COMMAND_TIMED_OUT` after the limit, or at once while an earlier write to it is stuck;
   * `DEVICE_NOT_FOUND` when the attribute's device is gone; `ABORTED`
   */
  async write(kind: KernelWrite, folder: string, text: string, signal: AbortSignal): Promise<void> {
    const file = `${folder}/${kind}`;
    await this.#limited(file, LIMITS_MS[kind], signal, (limited) =>
      this.#parts.files.writeAttribute(file, text, limited),
    );
  }

  /** Writes a block device's dirty pages out. @throws {VolumeError} `COMMAND_TIMED_OUT`, `ABORTED` */
  async flush(device: string, signal: AbortSignal): Promise<void> {
    await this.#limited(device, FLUSH_MS, signal, (limited) => this.#parts.files.syncDevice(device, limited));
  }

  async #limited(
    file: string,
    limitMs: number,
    signal: AbortSignal,
    begin: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const { clock, files, logger } = this.#parts;
    throwIfAborted(signal);
    if (files.hasStuckWrite?.(file) === true) throw stuckWrite(file, limitMs);
    const [left, ended] = [new AbortController(), new AbortController()];
    const began = clock.now();
    const late = async (): Promise<void> => {
      await clock.sleep(limitMs, AbortSignal.any([signal, ended.signal]));
      const error = stuckWrite(file, limitMs);
      left.abort(error);
      throw error;
    };
    try {
      await Promise.race([begin(AbortSignal.any([signal, left.signal])), late()]);
    } catch (error) {
      if (left.signal.aborted || signal.aborted)
        logger.warn('A write to the kernel is left to itself', { file, waitedMs: Math.round(clock.now() - began) });
      throw error;
    } finally {
      ended.abort();
    }
  }
}

/** Whether the kernel did not return from a write in time. */
export function isStuckWrite(error: unknown): error is VolumeError {
  return isVolumeError(error, 'COMMAND_TIMED_OUT') && error.details.file !== undefined;
}

function stuckWrite(file: string, limitMs: number): VolumeError {
  return new VolumeError(
    'COMMAND_TIMED_OUT',
    `Cannot write to ${file}: the kernel did not return within ${limitMs / 1000} s, and the write is still going on`,
    {
      hint: 'dmesg shows what the kernel waits for; call again once the write has ended',
      details: { file, limitMs },
    },
  );
}
