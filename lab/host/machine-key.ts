import { createHash } from 'node:crypto';

/**
 * The files of lab/image that decide what the machine's images hold. init.sh is not one: it travels with the project.
 */
export const MACHINE_INPUTS = ['build.sh', 'guest-init.sh', 'machine-init.sh', 'packages.txt'] as const;

/** A short name for images made from these inputs: another byte, another name. */
export function machineKey(inputs: readonly (readonly [name: string, content: string])[]): string {
  const hash = createHash('sha256');
  for (const [name, content] of inputs) hash.update(`${name}\0${content.length}\0${content}`);
  return hash.digest('hex').slice(0, 16);
}

/**
 * Of what lies in the cache, the images that those of this name take the place of: the same release's. Those of a time
 * without releases have none in their names.
 */
export function outdatedImages(names: readonly string[], name: string): readonly string[] {
  const [release] = name.split('-');
  return names.filter(
    (other) =>
      other !== name &&
      /^(?:\d+-)?[0-9a-f]{16}$/.test(other) &&
      (other.startsWith(`${release ?? ''}-`) || !other.includes('-')),
  );
}
