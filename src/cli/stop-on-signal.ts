import { VolumeError } from '../base/volume-error.js';
import { type CliIo, STOP_SIGNALS } from './cli-io.js';

/**
 * Runs the work under a signal that SIGINT and SIGTERM abort. The work is always waited for: what it began, it undoes
 * first.
 */
export async function stopOnSignal<Result>(
  { signals, stderr }: Pick<CliIo, 'signals' | 'stderr'>,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const listeners = STOP_SIGNALS.map((name) => ({
    name,
    listener: (): void => {
      if (!controller.signal.aborted) stderr.write(`libvirt-volume: ${name}: stopping, and undoing what was begun\n`);
      controller.abort(new VolumeError('ABORTED', `Stopped by ${name}`));
    },
  }));
  for (const { name, listener } of listeners) signals.on(name, listener);
  try {
    return await work(controller.signal);
  } finally {
    for (const { name, listener } of listeners) signals.off(name, listener);
  }
}
