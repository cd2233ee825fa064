import type { Clock } from '../host/clock.js';
import type { FileSystem } from '../host/file-system.js';
import { pollUntil } from '../host/poll-until.js';
import type { BlockDevice, DevicePath } from './block-device.js';
import { stableNamesOf } from './stable-names.js';

export interface StableNameParts {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly deviceTimeoutMs: number;
}

/**
 * There as long as udev has events that it has not done (systemd, src/shared/udev-util.c, udev_queue_is_empty): what
 * `udevadm settle` goes by.
 */
const QUEUE = '/run/udev/queue';
/** The kernel's news of a disk reaches udev well within this. */
const HEARD_MS = 2_000;

/**
 * The name of /dev/disk/by-id that outlasts a reboot and, followed now, leads to this very device: another path of the
 * volume may have taken the name (of several disks that claim one, udev gives it to one), and a name that is left of a
 * disk that has gone may lead to anything. udev names a disk after the kernel has made its node, and is waited for as
 * long as it is at work, at most `device_timeout_seconds`.
 * @returns `undefined` when udev has made none by then
 */
export async function findStableName(
  device: BlockDevice,
  { files, clock, deviceTimeoutMs }: StableNameParts,
  signal: AbortSignal,
): Promise<DevicePath | undefined> {
  const names = stableNamesOf(device);
  if (names.length === 0) return undefined;
  const began = clock.now();
  const leadingHere = async (): Promise<DevicePath | undefined> => {
    const targets = await Promise.all(names.map((name) => files.realPath(name)));
    return names.find((_name, index) => targets[index] === device.path);
  };
  const look = async (): Promise<{ readonly name: DevicePath | undefined } | undefined> => {
    // before the look: the name may come between the two
    const isDone = clock.now() - began >= HEARD_MS && (await files.kind(QUEUE)) === undefined;
    const name = await leadingHere();
    return isDone || name !== undefined ? { name } : undefined;
  };
  return (await pollUntil(look, { clock, timeoutMs: Math.max(deviceTimeoutMs, HEARD_MS), signal }))?.name;
}
