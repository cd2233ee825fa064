import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A place with programs of its own, for scripts of this project: they find these and no others. */
export class FakePrograms implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'fake programs, '));
  readonly bin = join(this.folder, 'bin');

  /** @param real programs of this machine that are there as well */
  constructor(real: readonly string[]) {
    mkdirSync(this.bin);
    for (const name of real) symlinkSync(pathOf(name), join(this.bin, name));
  }

  /** @param script of bash; FOLDER in it is this place */
  add(name: string, script: string): this {
    rmSync(join(this.bin, name), { force: true });
    writeFileSync(join(this.bin, name), `#!/bin/bash\nFOLDER='${this.folder}'\n${script}\n`);
    chmodSync(join(this.bin, name), 0o755);
    return this;
  }

  remove(name: string): this {
    rmSync(join(this.bin, name));
    return this;
  }

  run(program: string, words: readonly string[], env: Readonly<Record<string, string>> = {}): Ended {
    const { status, stdout, stderr } = spawnSync(program, words, {
      encoding: 'utf8',
      env: { PATH: this.bin, HOME: this.folder, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return { status, stdout, stderr };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function pathOf(name: string): string {
  return spawnSync('bash', ['-c', 'type -P "$0"', name], { encoding: 'utf8' }).stdout.trim();
}
