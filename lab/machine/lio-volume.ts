import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readSync,
  rmdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { run } from './commands.js';
import { setUp } from './undo.js';

const BACKSTORES = '/sys/kernel/config/target/core/fileio_0';
const FOLDER = '/run/lab/volumes';

export interface LioVolumeOptions {
  /** Only letters, digits, `-` and `_`. */
  readonly name: string;
  readonly sizeMiB?: number;
  /** What the volume says of itself in its SCSI page 0x80; by default made from its name. */
  readonly serial?: string;
}

/**
 * One volume of the lab's target: a file behind a loop device behind a LIO fileio backstore, so that it can grow while
 * in use and its bytes can be read where the target keeps them. Dispose of it after the targets that show it.
 */
export class LioVolume implements AsyncDisposable {
  readonly name: string;
  readonly serial: string;
  readonly backstore: string;
  readonly file: string;
  readonly #loop: string;

  private constructor(name: string, serial: string, loop: string) {
    this.name = name;
    this.serial = serial;
    this.backstore = `${BACKSTORES}/${name}`;
    this.file = `${FOLDER}/${name}.img`;
    this.#loop = loop;
  }

  static async create({ name, sizeMiB = 64, serial = serialOf(name) }: LioVolumeOptions): Promise<LioVolume> {
    mkdirSync(FOLDER, { recursive: true });
    const file = `${FOLDER}/${name}.img`;
    return await setUp(async (undo) => {
      undo.add(() => {
        rmSync(file);
      });
      writeFileSync(file, '');
      truncateSync(file, sizeMiB * 2 ** 20);
      const loop = (await run('losetup', ['--find', '--show', file])).trim();
      undo.add(() => run('losetup', ['--detach', loop]));
      const volume = new LioVolume(name, serial, loop);
      mkdirSync(volume.backstore, { recursive: true });
      undo.add(() => {
        rmdirSync(volume.backstore);
      });
      writeFileSync(`${volume.backstore}/control`, `fd_dev_name=${loop},fd_dev_size=${sizeMiB * 2 ** 20}`);
      writeFileSync(`${volume.backstore}/enable`, '1');
      writeFileSync(`${volume.backstore}/wwn/vpd_unit_serial`, serial);
      return volume;
    });
  }

  /**
   * The identifier udev and multipath read from page 0x83 (drivers/target/target_core_spc.c,
   * spc_gen_naa_6h_vendor_specific).
   */
  get wwid(): string {
    return `36001405${this.serial
      .replaceAll(/[^0-9a-f]/gi, '')
      .toLowerCase()
      .padEnd(25, '0')
      .slice(0, 25)}`;
  }

  /** The bytes as the target keeps them. */
  read(offset: number, length: number): Buffer {
    const buffer = Buffer.alloc(length);
    const file = openSync(this.file, 'r');
    try {
      readSync(file, buffer, 0, length, offset);
    } finally {
      closeSync(file);
    }
    return buffer;
  }

  /** Writes behind the initiator's back: before it is attached, for a reader to find. */
  write(offset: number, bytes: Buffer): void {
    const file = openSync(this.#loop, 'r+');
    try {
      writeSync(file, bytes, 0, bytes.length, offset);
    } finally {
      closeSync(file);
    }
  }

  async resize(sizeMiB: number): Promise<void> {
    truncateSync(this.file, sizeMiB * 2 ** 20);
    await run('losetup', ['--set-capacity', this.#loop]);
  }

  /** Writes what the loop device still holds in memory into the file. */
  async flush(): Promise<void> {
    await run('blockdev', ['--flushbufs', this.#loop]);
  }

  async remove(): Promise<void> {
    rmdirSync(this.backstore);
    await run('losetup', ['--detach', this.#loop]);
    rmSync(this.file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove();
  }
}

function serialOf(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 32);
}
