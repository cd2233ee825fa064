import { run } from './commands.js';

/** Makes an iface record as an administrator would. @param values such as `{ net_ifacename: 'eth1' }` @returns what deletes it */
export async function makeIface(name: string, values: Readonly<Record<string, string>>): Promise<AsyncDisposable> {
  await run('iscsiadm', ['-m', 'iface', '-I', name, '-o', 'new']);
  const pairs = Object.entries(values).flatMap(([key, value]) => ['-n', `iface.${key}`, '-v', value]);
  if (pairs.length > 0) await run('iscsiadm', ['-m', 'iface', '-I', name, '-o', 'update', ...pairs]);
  return { [Symbol.asyncDispose]: async () => { await run('iscsiadm', ['-m', 'iface', '-I', name, '-o', 'delete']); } };
}
