import { existsSync, readFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tryRun } from './commands.js';
import { createDomain, Domain, type DomainType } from './domain.js';
import { waitFor } from './wait-for.js';

export interface GuestAnswer {
  readonly code: number;
  readonly stdout: string;
}

/**
 * Emulated, code that runs once costs most: whatever the guest's kernel need not do or check at its start it leaves
 * out.
 */
const LESS_TO_DO = 'mitigations=off rodata=off apparmor=0 audit=0 ipv6.disable=1 cryptomgr.notests nokaslr';

/**
 * A guest with an operating system: the lab's own kernel with a busybox initramfs. It sees disks come (virtio-blk and
 * virtio-scsi), reads and writes them, and answers the unplug. Where the machine is emulated the guest is not emulated
 * once more: see virtualization().
 */
export class LinuxDomain extends Domain {
  readonly #socket: Socket;
  #received = '';
  #count = 0;

  private constructor(name: string, socket: Socket) {
    super(name);
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (text: string) => {
      this.#received += text;
    });
  }

  static async boot(name: string, timeoutMs = 180_000): Promise<LinuxDomain> {
    const path = `/run/lab/${name}.sock`;
    const os =
      '<kernel>/project/vmlinux</kernel><initrd>/project/guest-initramfs</initrd><cmdline>console=ttyS0 ' +
      `quiet panic=-1 ${LESS_TO_DO}</cmdline>`;
    const devices =
      `<serial type='file'><source path='/run/lab/log/${name}-console.log'/><target port='0'/></serial>` +
      `<serial type='unix'><source mode='bind' path='${path}'/><target port='1'/></serial>`;
    await createDomain(name, { memoryMiB: 256, os, devices, type: await virtualization() });
    const domain = new LinuxDomain(name, createConnection(path));
    try {
      await waitFor(`guest ${name} to come up`, () => domain.#received.includes('guest is up'), timeoutMs);
      return domain;
    } catch (error) {
      await domain.stop();
      throw error;
    }
  }

  /** Runs a shell command in the guest. */
  async shell(command: string, timeoutMs = 180_000): Promise<GuestAnswer> {
    const number = ++this.#count;
    this.#received = '';
    this.#socket.write(`${number} ${command}\n`);
    const answer = new RegExp(`begin ${number}\\r?\\n([^]*)end ${number} (\\d+)\\r?\\n`);
    const [, stdout = '', code = '1'] = await waitFor(
      `guest ${this.name} to run "${command}"`,
      () => answer.exec(this.#received) ?? undefined,
      timeoutMs,
    );
    return { code: Number(code), stdout: stdout.replaceAll('\r', '') };
  }

  override async stop(): Promise<void> {
    this.#socket.destroy();
    await super.stop();
  }
}

/**
 * QEMU emulates a processor with AMD's SVM (target/i386/tcg/sysemu/svm_helper.c), so that in an emulated machine KVM
 * works, and its guests are emulated once: twice over they come up in minutes. A machine that KVM runs has its guests
 * emulated: whether KVM within KVM works depends on the host.
 */
async function virtualization(): Promise<DomainType> {
  if (!readFileSync('/proc/cpuinfo', 'utf8').includes('QEMU TCG')) return 'qemu';
  return (await tryRun('modprobe', ['-q', 'kvm_amd'])).code === 0 && existsSync('/dev/kvm') ? 'kvm' : 'qemu';
}
