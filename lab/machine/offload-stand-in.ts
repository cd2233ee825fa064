import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { run } from './commands.js';
import { makeIface } from './make-iface.js';
import { startIscsid, stopIscsid } from './services.js';
import { setUp, type Undo } from './undo.js';

const PROGRAMS = ['/usr/sbin/iscsid', '/usr/sbin/iscsiadm'] as const;
const MODULE = '/run/lab/ib_ocs.ko';
/** The iface of transport `ocs` that the stand-in brings. */
export const OFFLOAD_IFACE = 'ocs0';

const SIGNATURE = Buffer.from('~Module signature appended~\n');

/**
 * A stand-in for an offload card: the machine's own iSER module, iscsid and iscsiadm, in which the transport's name
 * `iser` reads `ocs`. The kernel then registers a transport `ocs`, one of open-iscsi's offload transports, and logs in
 * with it over soft RoCE: a real session and a real disk over a transport that is neither tcp nor iser. Nothing but
 * names is changed, and dispose() puts all back; so does an install() that fails.
 */
export class OffloadStandIn implements AsyncDisposable {
  readonly #undo: Undo;

  private constructor(undo: Undo) {
    this.#undo = undo;
  }

  static async install(): Promise<OffloadStandIn> {
    return await setUp(async (undo) => {
      // Read and renamed before anything is touched: bytes that are not there are found out here.
      const module = renamedModule(await genuineModule());
      const programs = PROGRAMS.map((program) => ({ program, bytes: renamedProgram(readFileSync(program)) }));
      undo.add(startIscsid);
      await stopIscsid();
      undo.add(() => {
        rmSync(MODULE);
      });
      writeFileSync(MODULE, module);
      undo.add(async () => {
        await run('modprobe', ['ib_iser']);
      });
      await run('rmmod', ['ib_iser']);
      await run('insmod', [MODULE]);
      undo.add(async () => {
        await run('rmmod', ['ib_iser']);
      });
      for (const { program, bytes } of programs) {
        copyFileSync(program, `${program}.genuine`);
        undo.add(() => {
          renameSync(`${program}.genuine`, program);
        });
        writeFileSync(`${program}.renamed`, bytes, { mode: 0o755 });
        renameSync(`${program}.renamed`, program);
      }
      await startIscsid();
      undo.add(stopIscsid);
      const iface = await makeIface(OFFLOAD_IFACE, { transport_name: 'ocs' });
      undo.add(() => iface[Symbol.asyncDispose]());
      return new OffloadStandIn(undo);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#undo[Symbol.asyncDispose]();
  }
}

/** Debian 13 compresses its modules. */
async function genuineModule(): Promise<Buffer> {
  const file = (await run('modinfo', ['-n', 'ib_iser'])).trim();
  return file.endsWith('.xz') ? execFileSync('xz', ['-dc', file], { maxBuffer: 2 ** 26 }) : readFileSync(file);
}

/**
 * The second name is the SCSI host's, from which the session's transport is read. The signature no longer fits and
 * goes.
 */
function renamedModule(module: Buffer): Buffer {
  const end = module.lastIndexOf(SIGNATURE);
  // Linux, include/linux/module_signature.h: the length of the signature stands in the last four bytes of a trailer of
  // twelve.
  const unsigned = end === -1 ? module : module.subarray(0, end - 12 - module.readUInt32BE(end - 4));
  return renamed(renamed(unsigned, '\0iser\0', '\0ocs\0'), '\0iscsi_iser\0', '\0iscsi_ocs\0');
}

/** The template's name is the tail of the module's, so one change names both; open-iscsi's own `ocs` makes room. */
function renamedProgram(program: Buffer): Buffer {
  return renamed(renamed(program, '\0ocs\0', '\0xcs\0'), '\0ib_iser\0', '\0ib_ocs\0');
}

/** @throws {Error} when the name is not there */
function renamed(bytes: Buffer, from: string, to: string): Buffer {
  const changed = Buffer.from(bytes);
  let found = changed.indexOf(from, 0, 'latin1');
  if (found === -1) throw new Error(`Cannot rename ${JSON.stringify(from)}: it is not there`);
  for (; found !== -1; found = changed.indexOf(from, found + 1, 'latin1'))
    changed.write(to.padEnd(from.length, '\0'), found, 'latin1');
  return changed;
}
