import type { FakeWorld } from './fake-world.js';

const HOST_DEEDS = [
  'run',
  'makeDirectory',
  'replace',
  'create',
  'rename',
  'link',
  'remove',
  'removeDirectory',
  'writeAttribute',
  'syncDevice',
];
const LIBVIRT_DEEDS = [
  'attachDevice',
  'detachDevice',
  'updateDevice',
  'blockCopy',
  'blockJobAbort',
  'blockResize',
  'defineSecret',
  'undefineSecret',
];

/** A process that was killed, or was not since it had no such deed. */
export interface Killed {
  /** The deed that it was at, in words; `undefined` where the call came to its end. */
  readonly at: string | undefined;
}

/**
 * SIGKILL at the n-th deed of a call: before it, or after the kernel, a command or libvirt has done it. Looks are no
 * deeds. From then on nothing that the process asks for returns.
 */
export async function killAt(
  world: FakeWorld,
  n: number,
  when: 'before' | 'after',
  call: () => Promise<unknown>,
): Promise<Killed> {
  const never = new Promise<never>(() => undefined);
  let [count, at]: [number, string | undefined] = [0, undefined];
  let noteDeath: () => void = () => undefined;
  const death = new Promise<void>((resolve) => {
    noteDeath = resolve;
  });
  const restore: (() => void)[] = [];
  for (const [port, deeds] of [
    [world.host, HOST_DEEDS],
    [world.libvirt, LIBVIRT_DEEDS],
  ] as const) {
    const methods = port as unknown as Record<string, (...args: readonly unknown[]) => Promise<unknown>>;
    for (const name of methodsOf(port)) {
      const real = methods[name];
      if (real?.constructor.name !== 'AsyncFunction') continue;
      const own = Object.hasOwn(port, name) ? real : undefined;
      methods[name] = async (...args) => {
        if (at !== undefined) return await never;
        if (!deeds.includes(name) || ++count !== n) return await Reflect.apply(real, port, args);
        if (when === 'after') await Reflect.apply(real, port, args).catch(() => undefined);
        // its first half: the text is there under another name
        else if (name === 'replace') world.host.tree.write(String(args[3]), String(args[1]));
        at = `${name} ${wordsOf(args[0])}`;
        noteDeath();
        return await never;
      };
      restore.push(() => {
        if (own === undefined) Reflect.deleteProperty(port, name);
        else methods[name] = own;
      });
    }
  }
  const ended = call().then(
    () => undefined,
    () => undefined,
  );
  await Promise.race([ended, death]);
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve)); // what is on its way ends
  for (const undo of restore) undo();
  world.process.kill();
  return { at };
}

function methodsOf(port: object): readonly string[] {
  const prototype: unknown = Object.getPrototypeOf(port);
  return [...new Set([...Object.getOwnPropertyNames(prototype), ...Object.keys(port)])].filter(
    (name) => name !== 'constructor',
  );
}

function wordsOf(first: unknown): string {
  if (typeof first === 'string') return first;
  const { program, args } = first as { readonly program?: string; readonly args?: readonly unknown[] };
  return program === undefined ? '' : `${program} ${(args ?? []).map(String).join(' ')}`;
}
