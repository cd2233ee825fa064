import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { GuestDisk } from '../../src/guest/guest-disk.js';
import { parseGuestDisks } from '../../src/guest/parse-guest-disks.js';
import { virsh } from './services.js';

export interface DomainOptions {
  readonly name: string;
  /** Extra devices, as libvirt XML. */
  readonly devices?: string;
  /** With a stored description, which its next start is made of; one that is gone with its end when absent. */
  readonly persistent?: boolean;
}

/** A libvirtd and where its QEMUs write what they say. */
export interface LibvirtHost {
  virsh(...words: readonly string[]): Promise<string>;
  readonly logFolder: string;
}

const THIS_HOST: LibvirtHost = { virsh, logFolder: '/var/log/libvirt/qemu' };

/**
 * A libvirt guest without an operating system: up in half a second. Disks on its virtio-scsi controller come and go
 * without its help; a virtio-blk disk does not go, because nobody answers the unplug.
 */
export class Domain implements AsyncDisposable {
  readonly name: string;
  readonly #isPersistent: boolean;
  readonly #host: LibvirtHost;

  protected constructor(
    name: string,
    { isPersistent = false, host = THIS_HOST }: { readonly isPersistent?: boolean; readonly host?: LibvirtHost } = {},
  ) {
    this.name = name;
    this.#isPersistent = isPersistent;
    this.#host = host;
  }

  static async start({ name, devices = '', persistent = false }: DomainOptions): Promise<Domain> {
    if (persistent) {
      await virsh('define', writeDomain(name, { devices }));
      await virsh('start', name);
    } else {
      await createDomain(name, { devices });
    }
    return new Domain(name, { isPersistent: persistent });
  }

  /** The same guest, once it has moved to another host. */
  movedTo(host: LibvirtHost): Domain {
    return new Domain(this.name, { host });
  }

  /** The running guest's description. */
  xml(): Promise<string> {
    return this.#host.virsh('dumpxml', this.name);
  }

  /** What it has on its buses now, as libvirt describes it, or what it will have at its next start. */
  async diskElements(which: 'live' | 'config'): Promise<readonly GuestDisk[]> {
    return parseGuestDisks(
      which === 'live' ? await this.xml() : await this.#host.virsh('dumpxml', this.name, '--inactive'),
    );
  }

  /** The target names of its disks, such as `sdb`. */
  async disks(): Promise<readonly string[]> {
    return [...(await this.xml()).matchAll(/<target dev='([^']+)' bus/g)].map(([, dev]) => dev ?? '');
  }

  /**
   * Writes through the guest's own device, as the guest itself would: QEMU's `qemu-io` command, by device id.
   * @param alias the disk's alias in libvirt's XML, such as `scsi0-0-0-1` or `ua-…`; that of a virtio disk with
   * `/virtio-backend` behind it, for the device on PCI has no bytes
   */
  async write(alias: string, pattern: number, offset: number, length: number): Promise<void> {
    await this.#io(alias, `write -P ${pattern} ${offset} ${length}`, `wrote ${length}/${length} bytes`);
    await this.#io(alias, 'flush', '');
  }

  /** Reads through the guest's own device. @throws {Error} unless every byte is the pattern */
  async verify(alias: string, pattern: number, offset: number, length: number): Promise<void> {
    await this.#io(alias, `read -P ${pattern} ${offset} ${length}`, `read ${length}/${length} bytes`);
  }

  /** `running`, `paused`, `shut off`. */
  async state(): Promise<string> {
    return (await this.#host.virsh('domstate', this.name)).trim();
  }

  async suspend(): Promise<void> {
    await this.#host.virsh('suspend', this.name);
  }

  async resume(): Promise<void> {
    await this.#host.virsh('resume', this.name);
  }

  async powerOff(): Promise<void> {
    await this.#host.virsh('destroy', this.name);
  }

  /** A persistent guest, with the disks of its stored description. */
  async powerOn(): Promise<void> {
    await this.#host.virsh('start', this.name);
  }

  /** Ends it, and takes its stored description away. */
  async stop(): Promise<void> {
    if ((await this.state()) !== 'shut off') await this.powerOff();
    if (this.#isPersistent) await this.#host.virsh('undefine', this.name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #log(): string {
    const file = `${this.#host.logFolder}/${this.name}.log`;
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  async #io(alias: string, command: string, done: string): Promise<void> {
    const before = this.#log().length;
    const answer = await this.#host.virsh(
      'qemu-monitor-command',
      this.name,
      '--hmp',
      `qemu-io -d ${alias} "${command}"`,
    );
    // Its exit status says nothing of how the command fared, and what it finds goes to QEMU's own output.
    const words = `${answer}${this.#log().slice(before)}`.trim();
    if (!words.includes(done) || /error|fail|cannot|not found|read-only/i.test(words))
      throw new Error(`qemu-io ${alias} "${command}": ${words}`);
  }
}

/** What runs its instructions: `qemu` emulates them. */
export type DomainType = 'qemu' | 'kvm';

export interface DomainParts {
  /** 64 when absent. */
  readonly memoryMiB?: number;
  /** What stands in `<os>` beside the type. */
  readonly os?: string;
  readonly devices: string;
  readonly type?: DomainType;
}

/** Starts a transient guest. */
export async function createDomain(name: string, parts: DomainParts): Promise<void> {
  await virsh('create', writeDomain(name, parts));
}

/** @returns the file with the guest's description */
export function writeDomain(name: string, { memoryMiB = 64, os = '', devices, type = 'qemu' }: DomainParts): string {
  const file = `/run/lab/${name}.xml`;
  writeFileSync(
    file,
    `<domain type='${type}'>
  <name>${name}</name><memory unit='MiB'>${memoryMiB}</memory><vcpu>1</vcpu><iothreads>1</iothreads>
  <os><type arch='x86_64' machine='q35'>hvm</type>${os}</os><features><acpi/></features>
  <cpu mode='custom' match='exact' check='none'><model fallback='allow'>qemu64</model></cpu>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='pci' model='pcie-root'/>
    ${`<controller type='pci' model='pcie-root-port'/>`.repeat(4)}
    <controller type='scsi' model='virtio-scsi'/><controller type='usb' model='none'/><memballoon model='none'/>
    ${devices}
  </devices>
</domain>`,
  );
  return file;
}
