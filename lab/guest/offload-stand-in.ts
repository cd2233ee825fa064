import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { run } from './commands.js';
import { makeIface } from './make-iface.js';
import { startIscsid, stopIscsid } from './services.js';

const PROGRAMS = ['/usr/sbin/iscsid', '/usr/sbin/iscsiadm'] as const;
/** The iface of transport `ocs` that the stand-in brings. */
export const OFFLOAD_IFACE = 'ocs0';

const SIGNATURE = Buffer.from('~Module signature appended~\n');

/**
 * A stand-in for an offload card: the machine's own iSER module, iscsid and iscsiadm, in which the transport's name `iser` reads `ocs`. The
 * kernel then registers a transport `ocs`, one of open-iscsi's offload transports, and logs in with it over soft RoCE: a real session and a
 * real disk over a transport that is neither tcp nor iser. Nothing but names is changed, and dispose() puts all back.
 */
export class OffloadStandIn implements AsyncDisposable {
  readonly #iface: AsyncDisposable;

  private constructor(iface: AsyncDisposable) {
    this.#iface = iface;
  }

  static async install(): Promise<OffloadStandIn> {
    await stopIscsid();
    const module = '/run/lab/ib_ocs.ko';
    writeFileSync(module, renamedModule(readFileSync((await run('modinfo', ['-n', 'ib_iser'])).trim())));
    await run('rmmod', ['ib_iser']);
    await run('insmod', [module]);
    for (const program of PROGRAMS) {
      copyFileSync(program, `${program}.genuine`);
      writeFileSync(`${program}.renamed`, renamedProgram(readFileSync(program)), { mode: 0o755 });
      renameSync(`${program}.renamed`, program);
    }
    await startIscsid();
    return new OffloadStandIn(await makeIface(OFFLOAD_IFACE, { transport_name: 'ocs' }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#iface[Symbol.asyncDispose]();
    await stopIscsid();
    for (const program of PROGRAMS) renameSync(`${program}.genuine`, program);
    await run('rmmod', ['ib_iser']);
    await run('modprobe', ['ib_iser']);
    rmSync('/run/lab/ib_ocs.ko');
    await startIscsid();
  }
}

/** The second name is the SCSI host's, from which the session's transport is read. The signature no longer fits and goes. */
function renamedModule(module: Buffer): Buffer {
  const end = module.lastIndexOf(SIGNATURE);
  // Linux, include/linux/module_signature.h: the length of the signature stands in the last four bytes of a trailer of twelve.
  const unsigned = end === -1 ? module : module.subarray(0, end - 12 - module.readUInt32BE(end - 4));
  return renamed(renamed(unsigned, '\0iser\0', '\0ocs\0'), '\0iscsi_iser\0', '\0iscsi_ocs\0');
}

/** The template's name is the tail of the module's, so one change names both; open-iscsi's own `ocs` makes room. */
function renamedProgram(program: Buffer): Buffer {
  return renamed(renamed(program, '\0ocs\0', '\0xcs\0'), '\0ib_iser\0', '\0ib_ocs\0');
}

function renamed(bytes: Buffer, from: string, to: string): Buffer {
  const changed = Buffer.from(bytes);
  let found = changed.indexOf(from, 0, 'latin1');
  if (found === -1) throw new Error(`Cannot rename ${JSON.stringify(from)}: it is not there`);
  for (; found !== -1; found = changed.indexOf(from, found + 1, 'latin1')) changed.write(to.padEnd(from.length, '\0'), found, 'latin1');
  return changed;
}
