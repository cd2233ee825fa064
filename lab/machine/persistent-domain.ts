import { Domain, writeDomain } from './domain.js';
import { virsh } from './services.js';

/**
 * A guest that libvirt keeps while it does not run: shut off and started again, it has the disks of its stored
 * configuration.
 */
export class PersistentDomain extends Domain {
  static async define(name: string): Promise<PersistentDomain> {
    await virsh('define', writeDomain(name, { devices: '' }));
    return new PersistentDomain(name);
  }

  async boot(): Promise<void> {
    await virsh('start', this.name);
  }

  async shutOff(): Promise<void> {
    await virsh('destroy', this.name);
  }

  /** What it is started from. */
  storedXml(): Promise<string> {
    return virsh('dumpxml', '--inactive', this.name);
  }

  override async stop(): Promise<void> {
    if ((await virsh('domstate', this.name)).trim() === 'running') await this.shutOff();
    await virsh('undefine', this.name);
  }
}
