import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Keeps a device open, as a guest's QEMU would (without O_EXCL), until the result is called. */
export async function holdOpen(devicePath: string): Promise<() => Promise<void>> {
  const holder = spawn('sh', ['-c', 'exec 3<>"$1"; echo open; exec cat', 'sh', devicePath], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  return async () => {
    const ended = once(holder, 'close');
    holder.stdin.end();
    await ended;
  };
}
