import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** nobody, on every Linux. */
const NOBODY = 65_534;

export interface ForbiddenFolder extends Disposable {
  readonly path: string;
  /** From here on this process may not look into the folder. */
  readonly close: () => void;
  /** With the rights that a root helper has. */
  readonly withRights: <Result>(deed: () => Promise<Result>) => Promise<Result>;
}

/**
 * A temporary folder that this process may not look into, whoever it runs as: root, who may look everywhere, becomes
 * nobody meanwhile.
 */
export function forbiddenFolder(): ForbiddenFolder {
  const path = mkdtempSync(join(tmpdir(), 'forbidden-'));
  const isRoot = process.geteuid?.() === 0;
  const close = (): void => {
    chmodSync(path, 0);
    if (isRoot) process.seteuid?.(NOBODY);
  };
  const open = (): void => {
    if (isRoot) process.seteuid?.(0);
    chmodSync(path, 0o700);
  };
  return {
    path,
    close,
    withRights: async (deed) => {
      open();
      try {
        return await deed();
      } finally {
        close();
      }
    },
    [Symbol.dispose]: () => {
      open();
      rmSync(path, { recursive: true });
    },
  };
}
