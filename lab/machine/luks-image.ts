import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { run } from './commands.js';
import type { LioVolume } from './lio-volume.js';

/** What the secret is called on qemu-img's command line. It goes there as data: these passphrases are no secrets. */
const secret = (passphrase: string): readonly string[] => ['--object', `secret,id=key,data=${passphrase}`];

/**
 * Writes a LUKS header (version 1) and these bytes, encrypted, over the volume's beginning. The key costs little to
 * derive: the tests are not about that.
 */
export async function writeLuks(volume: LioVolume, passphrase: string, plain: Buffer): Promise<void> {
  const [from, to] = [`/run/lab/${volume.name}.plain`, `/run/lab/${volume.name}.luks`];
  writeFileSync(from, plain);
  await run('qemu-img', [
    'convert',
    ...secret(passphrase),
    '-f',
    'raw',
    '-O',
    'luks',
    '-o',
    'key-secret=key,iter-time=10',
    from,
    to,
  ]);
  volume.write(0, readFileSync(to));
  for (const file of [from, to]) rmSync(file);
}

/** Opens what the target keeps with the passphrase. @throws {Error} unless every byte there is the pattern */
export async function verifyLuks(
  volume: LioVolume,
  passphrase: string,
  pattern: number,
  offset: number,
  length: number,
): Promise<void> {
  const answer = await run('qemu-io', [
    ...secret(passphrase),
    '--image-opts',
    `driver=luks,key-secret=key,file.driver=file,file.locking=off,file.filename=${volume.file}`,
    '-r',
    '-c',
    `read -P ${pattern} ${offset} ${length}`,
  ]);
  if (/fail|error/i.test(answer)) throw new Error(`${volume.file}: ${answer.trim()}`);
}
