import { throwIfAborted } from '../base/aborted.js';
import { errorChain } from '../base/error-chain.js';
import type { Logger } from '../base/logger.js';
import { VolumeError } from '../base/volume-error.js';
import { formatPortal, type Portal, samePortal } from '../connection/portal.js';
import type { Clock } from '../host/clock.js';
import type { FileSystem } from '../host/file-system.js';
import type { Locks } from '../host/locks.js';
import type { IfaceName } from '../iface/iface-name.js';
import {
  type FailuresFile,
  formatFailures,
  isTransportFailure,
  parseFailures,
  type TransportFailure,
  type TransportFailureCode,
} from './transport-failure.js';

export interface TransportFailureCacheParts {
  readonly files: FileSystem;
  readonly locks: Locks;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly options: { readonly stateDirectory: string };
}

/** A transport that is not tried, as `doctor` shows it. */
export interface AvoidedTransport {
  readonly iface: IfaceName;
  readonly portal: Portal;
  readonly code: TransportFailureCode;
  readonly reason: string;
  readonly retryInMs: number;
}

/**
 * How long a transport that failed at login is not tried again: the next attaches do not wait for it, and it gets its
 * chance after.
 */
export const RETRY_AFTER_MS = 300_000;

/** The file in `state_directory`. To have everything tried at once, remove it. */
export const FAILURES_FILE = 'failed-transports.json';

/** No target has such a name. Another process holds it for one write. */
const LOCK = 'failed-transports';
const LOCK_MS = 5_000;
/** The newest are kept, and of each so much of the reason. */
const MOST = 256;
const LONGEST_REASON = 2_000;

/** drivers/char/random.c, proc_do_uuid: another one after each boot, the same in all containers of the host. */
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/**
 * What was found out at a login about a transport that cannot reach a portal, and the fallback could, kept for a while
 * in a file that all processes of the host share. What hardware tells is asked anew each time. Time is that since the
 * boot, which nobody can set; after another boot, whose hardware may be another, the file says nothing. It only ever
 * saves a wait: a file that is broken, or cannot be written, never fails a call.
 */
export class TransportFailureCache {
  readonly #parts: TransportFailureCacheParts;
  readonly #path: string;
  /** What could not be written to the file, for this process alone. */
  #unwritten: readonly TransportFailure[] = [];
  readonly #told = new Set<string>();

  constructor(parts: TransportFailureCacheParts) {
    this.#parts = parts;
    this.#path = `${parts.options.stateDirectory}/${FAILURES_FILE}`;
  }

  /** Keeps a failure of the transport itself. Any other says nothing of the transport, and is not kept. */
  async remember(iface: IfaceName, { address, port }: Portal, error: VolumeError): Promise<void> {
    if (!isTransportFailure(error)) return;
    const failure = {
      iface,
      portal: { address, port },
      code: error.code,
      reason: errorChain(error).slice(0, LONGEST_REASON),
      hint: error.hint,
      failedAt: this.#parts.clock.now(),
    };
    try {
      await this.#write(failure);
    } catch (cause) {
      this.#unwritten = this.#with(this.#unwritten, failure);
      this.#tell('Cannot keep a failed transport for other processes', { path: this.#path, reason: errorChain(cause) });
    }
  }

  /** @returns the failure that stands in for another try, or `undefined` when it is time to try */
  async recall(iface: IfaceName, portal: Portal): Promise<VolumeError | undefined> {
    const failure = (await this.#all()).find(
      (candidate) => candidate.iface === iface && samePortal(candidate.portal, portal),
    );
    if (failure === undefined) return undefined;
    const { code, reason, hint } = failure;
    const retryInMs = this.#remaining(failure);
    return new VolumeError(
      code,
      `The iface ${iface} failed at ${formatPortal(portal)} and is tried again in ${Math.ceil(retryInMs / 1000)} s`,
      {
        cause: new Error(reason),
        details: { iface, portal: formatPortal(portal), retryInMs },
        ...(hint === undefined ? {} : { hint }),
      },
    );
  }

  /** Every transport that is not tried now, the one that is tried again soonest first. */
  async list(): Promise<readonly AvoidedTransport[]> {
    const all = (await this.#all()).map((failure) => ({ failure, retryInMs: this.#remaining(failure) }));
    return all
      .map(({ failure: { iface, portal, code, reason }, retryInMs }) => ({ iface, portal, code, reason, retryInMs }))
      .toSorted((one, other) => one.retryInMs - other.retryInMs);
  }

  /** Of an iface and a portal that failed more than once, what came last. */
  async #all(): Promise<readonly TransportFailure[]> {
    const { failures } = await this.#read();
    const newestFirst = [...this.#unwritten, ...failures]
      .filter((failure) => this.#remaining(failure) > 0)
      .toSorted((one, other) => other.failedAt - one.failedAt);
    return newestFirst.filter((failure, index) => newestFirst.findIndex((other) => isSame(other, failure)) === index);
  }

  /** A failure of the future was written by another clock, and counts for nothing: it could stand for ever. */
  #remaining({ failedAt }: TransportFailure): number {
    const age = this.#parts.clock.now() - failedAt;
    return age < 0 ? 0 : RETRY_AFTER_MS - age;
  }

  #with(failures: readonly TransportFailure[], failure: TransportFailure): readonly TransportFailure[] {
    return [...failures.filter((other) => !isSame(other, failure) && this.#remaining(other) > 0), failure].slice(-MOST);
  }

  /** Under a lock, so that no other process's failure is lost and one temporary name is enough. */
  async #write(failure: TransportFailure): Promise<void> {
    const { files, locks, options } = this.#parts;
    await locks.hold([LOCK], AbortSignal.timeout(LOCK_MS), async (held) => {
      const { bootId, failures } = await this.#read();
      if (bootId === '') throw new Error(`${BOOT_ID} cannot be read`);
      await files.makeDirectory(options.stateDirectory, 0o700);
      throwIfAborted(held);
      await files.replace(
        this.#path,
        formatFailures({ bootId, failures: this.#with(failures, failure) }),
        0o600,
        `${this.#path}.new`,
      );
    });
  }

  /** The failures of this boot. */
  async #read(): Promise<FailuresFile> {
    const bootId = ((await this.#text(BOOT_ID)) ?? '').trim();
    const text = await this.#text(this.#path);
    if (text === undefined || bootId === '') return { bootId, failures: [] };
    try {
      const file = parseFailures(text);
      return file.bootId === bootId ? file : { bootId, failures: [] };
    } catch (error) {
      this.#tell('Cannot use the file of failed transports', { path: this.#path, reason: errorChain(error) });
      return { bootId, failures: [] };
    }
  }

  async #text(path: string): Promise<string | undefined> {
    try {
      return await this.#parts.files.readText(path);
    } catch (error) {
      this.#tell('Cannot read what is known of failed transports', { path, reason: errorChain(error) });
      return undefined;
    }
  }

  /** Once in this process: what is wrong stays wrong, and is not worth a line for each volume. */
  #tell(message: string, fields: Readonly<Record<string, unknown>>): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#parts.logger.warn(message, fields);
  }
}

function isSame(one: TransportFailure, other: TransportFailure): boolean {
  return one.iface === other.iface && samePortal(one.portal, other.portal);
}
