import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { virsh } from './services.js';

export interface DomainOptions {
  readonly name: string;
  /** Extra devices, as libvirt XML. */
  readonly devices?: string;
  /** Defined and then started, so that it has a stored description too; whoever starts it undefines it. Otherwise it is transient. */
  readonly persistent?: boolean;
}

/**
 * A libvirt guest without an operating system: up in half a second. Disks on its virtio-scsi controller come and go without its help;
 * a virtio-blk disk does not go, because nobody answers the unplug.
 */
export class Domain implements AsyncDisposable {
  readonly name: string;

  protected constructor(name: string) {
    this.name = name;
  }

  static async start({ name, devices = '', persistent = false }: DomainOptions): Promise<Domain> {
    await createDomain(name, 64, { devices, persistent });
    return new Domain(name);
  }

  /** The running guest's description. */
  xml(): Promise<string> {
    return virsh('dumpxml', this.name);
  }

  /** The target names of its disks, such as `sdb`. */
  async disks(): Promise<readonly string[]> {
    return [...(await this.xml()).matchAll(/<target dev='([^']+)' bus/g)].map(([, dev]) => dev ?? '');
  }

  /**
   * Writes through the guest's own device, as the guest itself would: QEMU's `qemu-io` command, by device id.
   * @param alias the disk's alias in libvirt's XML, such as `scsi0-0-0-1` or `ua-…`
   */
  async write(alias: string, pattern: number, offset: number, length: number): Promise<void> {
    await this.#io(alias, `write -P ${pattern} ${offset} ${length}`);
    await this.#io(alias, 'flush');
  }

  /** Reads through the guest's own device. @throws {Error} unless every byte is the pattern */
  async verify(alias: string, pattern: number, offset: number, length: number): Promise<void> {
    await this.#io(alias, `read -P ${pattern} ${offset} ${length}`);
  }

  async stop(): Promise<void> {
    await virsh('destroy', this.name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #log(): string {
    const file = `/var/log/libvirt/qemu/${this.name}.log`;
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  async #io(alias: string, command: string): Promise<void> {
    const before = this.#log().length;
    const answer = await virsh('qemu-monitor-command', this.name, '--hmp', `qemu-io -d ${alias} "${command}"`);
    // Its exit status says nothing of how the command fared, and what it finds goes to QEMU's own output.
    const words = `${answer}${this.#log().slice(before)}`.trim();
    if (/error|fail|cannot|not found/i.test(words)) throw new Error(`qemu-io ${alias} "${command}": ${words}`);
  }
}

/** Starts a guest of that memory. @param os more of the element of that name */
export async function createDomain(name: string, memoryMiB: number, { os = '', devices = '', persistent = false }: { readonly os?: string; readonly devices?: string; readonly persistent?: boolean }): Promise<void> {
  const file = `/run/lab/${name}.xml`;
  writeFileSync(file, `<domain type='qemu'>
  <name>${name}</name><memory unit='MiB'>${memoryMiB}</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type>${os}</os><features><acpi/></features>
  <cpu mode='custom' match='exact' check='none'><model fallback='allow'>qemu64</model></cpu>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='pci' model='pcie-root'/>
    ${`<controller type='pci' model='pcie-root-port'/>`.repeat(4)}
    <controller type='scsi' model='virtio-scsi'/><controller type='usb' model='none'/><memballoon model='none'/>
    ${devices}
  </devices>
</domain>`);
  if (!persistent) {
    await virsh('create', file);
    return;
  }
  await virsh('define', file);
  await virsh('start', name);
}
