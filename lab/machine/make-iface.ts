import { run } from './commands.js';
import { setUp } from './undo.js';

/**
 * Makes an iface record as an administrator would.
 * @param values such as `{ net_ifacename: 'eth1' }`
 * @returns what deletes it
 */
export async function makeIface(name: string, values: Readonly<Record<string, string>>): Promise<AsyncDisposable> {
  return await setUp(async (undo) => {
    await run('iscsiadm', ['-m', 'iface', '-I', name, '-o', 'new']);
    undo.add(() => run('iscsiadm', ['-m', 'iface', '-I', name, '-o', 'delete']));
    const pairs = Object.entries(values).flatMap(([key, value]) => ['-n', `iface.${key}`, '-v', value]);
    if (pairs.length > 0) await run('iscsiadm', ['-m', 'iface', '-I', name, '-o', 'update', ...pairs]);
    return undo;
  });
}
