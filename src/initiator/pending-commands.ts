import type { TargetName } from '../connection/target-name.js';
import type { Clock } from '../host/clock.js';
import type { FileSystem } from '../host/file-system.js';
import { pollUntil } from '../host/poll-until.js';

/**
 * Waits until no iscsiadm runs that names one of these targets: one that a killed process has started goes on, and
 * makes its session after all.
 * @returns false when one runs still at the end of the time
 */
export async function whenNoneIsPending(
  targets: readonly TargetName[],
  { files, clock, timeoutMs }: { readonly files: FileSystem; readonly clock: Clock; readonly timeoutMs: number },
  signal: AbortSignal,
): Promise<boolean> {
  const none = async (): Promise<true | undefined> => {
    const numbers = (await files.list('/proc')).filter((name) => /^\d+$/.test(name));
    const lines = await Promise.all(numbers.map(async (number) => await files.readText(`/proc/${number}/cmdline`)));
    return lines.some((line) => isOf(line ?? '', targets)) ? undefined : true;
  };
  return (await pollUntil(none, { clock, timeoutMs, signal })) === true;
}

/** Below a root_helper as well. */
function isOf(line: string, targets: readonly TargetName[]): boolean {
  const words = line.split('\0');
  return words.some((word) => /(?:^|\/)iscsiadm$/.test(word)) && targets.some((target) => words.includes(target));
}
