import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Another process, a shell, that has the file open until this is disposed. */
export async function heldOpen(path: string): Promise<AsyncDisposable & { readonly pid: number }> {
  const child = spawn('sh', ['-c', 'exec 3<"$0"; echo open; read -r _', path], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  if (child.pid === undefined) throw new Error('the shell did not start');
  return {
    pid: child.pid,
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      await once(child, 'close');
    },
  };
}
