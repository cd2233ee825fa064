import { createRequire } from 'node:module';

/**
 * The version of this package, from its package.json: by the package's own name, so that it is found wherever the
 * compiled code lies in it.
 */
export function packageVersion(): string {
  const { version } = createRequire(import.meta.url)('libvirt-volume-drivers/package.json') as {
    readonly version: string;
  };
  return version;
}
