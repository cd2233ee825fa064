import { unlessAborted } from '../../src/base/aborted.js';
import { deferred } from '../../src/base/deferred.js';
import type { Portal } from '../../src/connection/portal.js';
import { FakeMultipathd } from './fake-multipathd.js';
import { firstFree, letters } from './letters.js';
import type { FakeTarget, FakeUnit } from './fake-target.js';
import type { FakeTree } from './fake-tree.js';
import { FakeUdev } from './fake-udev.js';
import { kernelAddress } from './open-iscsi-addresses.js';

export interface FakeSession {
  readonly id: number;
  readonly target: string;
  /** As it was asked for: in any spelling, or by name (`persistent_address`). */
  readonly portal: Portal;
  /** Where the connection went, where that is not what was asked for: a name's address, or where a redirect led. */
  readonly connectedTo?: { readonly address: string; readonly port: number };
  readonly iface: string;
  readonly transport: string;
}

/** The kernel of a fake host: sessions, scans and disks, shown in the tree as sysfs shows them. */
export class FakeKernel {
  readonly sessions: FakeSession[] = [];
  /** What the kernel did, in order: `scan sda`, `sync /dev/sda`, `delete sda`. */
  readonly deeds: string[] = [];
  /** A device that cannot be written out. */
  readonly unflushable = new Set<string>();
  /** Writes that the kernel does not return from, by the attribute or device, until it is let on. */
  readonly #blocked: { readonly files: RegExp; readonly until: Promise<void> }[] = [];
  readonly #held = new Set<{ readonly path: string; readonly signal: AbortSignal }>();
  readonly multipathd: FakeMultipathd;
  readonly udev: FakeUdev;
  readonly #tree: FakeTree;
  readonly #targets: readonly FakeTarget[];
  #lastSession = 0;

  constructor({ tree, targets }: { readonly tree: FakeTree; readonly targets: readonly FakeTarget[] }) {
    this.#tree = tree;
    this.#targets = targets;
    this.udev = new FakeUdev(tree);
    this.multipathd = new FakeMultipathd(tree, this.deeds, this.udev);
    tree.directory('/sys/class/iscsi_session');
  }

  /** @param recoverySeconds how long the session may be away before its I/O fails */
  addSession(place: Omit<FakeSession, 'id'>, recoverySeconds = '120'): FakeSession {
    const session = { ...place, id: ++this.#lastSession };
    const { id, target, portal, iface, transport, connectedTo = portal } = session;
    const device = folderOf(session);
    this.sessions.push(session);
    this.#writeAll(`${device}/iscsi_session/session${id}`, {
      targetname: target,
      ifacename: iface,
      state: 'LOGGED_IN',
      target_id: '0',
      tpgt: '1',
      recovery_tmo: recoverySeconds,
    });
    this.#tree.symbolicLink(`${device}/iscsi_session/session${id}/device`, device);
    this.#tree.symbolicLink(`/sys/class/iscsi_session/session${id}`, `${device}/iscsi_session/session${id}`);
    this.#writeAll(`/sys/class/iscsi_connection/connection${id}:0`, {
      persistent_address: portal.address,
      persistent_port: String(portal.port),
      address: kernelAddress(connectedTo.address),
      port: String(connectedTo.port),
    });
    this.#writeAll(`/sys/class/scsi_host/host${id}`, {
      proc_name: transport === 'tcp' || transport === 'iser' ? `iscsi_${transport}` : transport,
      scan: '',
    });
    return session;
  }

  setState({ id }: FakeSession, state: string): void {
    this.#tree.write(`/sys/class/iscsi_session/session${id}/state`, state);
  }

  /** The connection is lost: while there is none the kernel has no address of it (ENOTCONN). */
  lose(session: FakeSession): void {
    this.setState(session, 'FAILED');
    for (const key of ['address', 'port'])
      this.#tree.remove(`/sys/class/iscsi_connection/connection${session.id}:0/${key}`);
  }

  removeSession(session: FakeSession): void {
    for (const lun of this.#lunsOf(session)) this.#removeUnit(session, lun);
    for (const path of [
      `/sys/class/iscsi_session/session${session.id}`,
      `/sys/class/iscsi_connection/connection${session.id}:0`,
      `/sys/class/scsi_host/host${session.id}`,
      folderOf(session),
    ])
      this.#tree.remove(path);
    this.sessions.splice(this.sessions.indexOf(session), 1);
  }

  /** Has the kernel not return from writes to these files. @returns what lets them on */
  block(files: RegExp): () => void {
    const { promise, resolve } = deferred<undefined>();
    const entry = { files, until: promise };
    this.#blocked.push(entry);
    return () => {
      this.#blocked.splice(this.#blocked.indexOf(entry), 1);
      resolve(undefined);
    };
  }

  /** Does the deed, once the kernel returns; who waits may leave it. */
  async whenLetOn(path: string, signal: AbortSignal, deed: () => void): Promise<void> {
    const blocked = this.#blocked.find(({ files }) => files.test(path));
    if (blocked === undefined) {
      deed();
      return;
    }
    const write = { path, signal };
    this.#held.add(write);
    const done = blocked.until.then(deed).finally(() => this.#held.delete(write));
    await unlessAborted(done, signal);
  }

  /** How many writes to the file go on that nobody waits for. */
  countLeft(path: string): number {
    return [...this.#held].filter((write) => write.path === path && write.signal.aborted).length;
  }

  sync(path: string): void {
    if (this.unflushable.has(path)) throw new Error(`sync ${path}: EIO`);
    this.deeds.push(`sync ${path}`);
  }

  /** A write to a sysfs attribute. */
  write(path: string, text: string): void {
    const [, patient] = /^\/sys\/class\/iscsi_session\/session(\d+)\/recovery_tmo$/.exec(path) ?? [];
    if (patient !== undefined) {
      if (this.#tree.read(path.replace('recovery_tmo', 'state'))?.trim() !== 'LOGGED_IN')
        throw new Error(`write ${path}: EBUSY`);
      this.#tree.write(path, text);
      return;
    }
    const [, scanned] = /^\/sys\/class\/scsi_host\/host(\d+)\/scan$/.exec(path) ?? [];
    const [, unitHost, lun, verb] = /\/target(\d+):0:0\/\d+:0:0:(\d+)\/(delete|rescan)$/.exec(path) ?? [];
    const session = this.sessions.find(({ id }) => String(id) === (scanned ?? unitHost));
    if (session === undefined || this.#tree.kind(path) === undefined) throw new Error(`write ${path}: ENOENT`);
    if (scanned !== undefined) this.#scan(session, text);
    else if (verb === 'delete') this.#removeUnit(session, Number(lun));
    else if (this.#isUp(session)) this.#showUnit(session, Number(lun));
  }

  /** A disk that open-iscsi has nothing to do with. @param wwid as the kernel shows it. @returns its name */
  addLocalDisk({ wwid, sizeBytes }: FakeUnit, bus = 'pci0000:00/0000:00:1f.0/host90/rport-90:0-1'): string {
    const index = this.#freeIndex();
    const name = `sd${letters(index)}`;
    const folder = `/sys/devices/${bus}/target90:0:0/90:0:0:${index}`;
    this.#writeAll(folder, { wwid, state: 'running' });
    this.#showDisk(`${folder}/block/${name}`, name, { sizeBytes, dev: numberOf(index) });
    this.udev.diskAppeared(name, wwid);
    this.multipathd.appeared(name);
    return name;
  }

  #isUp({ id }: FakeSession): boolean {
    return this.#tree.read(`/sys/class/iscsi_session/session${id}/state`)?.trim() === 'LOGGED_IN';
  }

  #scan(session: FakeSession, text: string): void {
    const [, lun] = /^0 0 (\d+)$/.exec(text) ?? [];
    if (lun === undefined) throw new Error(`A scan that is not exact: "${text}"`);
    // a unit that is there is passed over (drivers/scsi/scsi_scan.c, scsi_probe_and_add_lun)
    if (this.#tree.kind(unitFolder(session, Number(lun))) === undefined) this.#showUnit(session, Number(lun));
  }

  #showUnit(session: FakeSession, lun: number): void {
    const unit = this.#targets.find(({ iqn }) => iqn === session.target)?.units.get(lun);
    if (unit === undefined) return;
    const folder = unitFolder(session, lun);
    const [present] = this.#tree.list(`${folder}/block`);
    const index = this.#freeIndex();
    const name = present ?? `sd${letters(index)}`;
    const dev = present === undefined ? numberOf(index) : this.#tree.read(`${folder}/block/${present}/dev`)?.trim();
    this.#writeAll(folder, { wwid: unit.wwid, delete: '', rescan: '', state: 'running' });
    this.#showDisk(`${folder}/block/${name}`, name, { sizeBytes: unit.sizeBytes, dev: dev ?? '' });
    this.deeds.push(`show ${name}`);
    if (present !== undefined) return;
    this.udev.diskAppeared(name, unit.wwid);
    this.multipathd.appeared(name);
  }

  #showDisk(
    folder: string,
    name: string,
    { sizeBytes, dev }: { readonly sizeBytes: number; readonly dev: string },
  ): void {
    this.#writeAll(folder, { size: String(BigInt(sizeBytes) / 512n), dev });
    this.#tree.blockDevice(`/dev/${name}`);
    this.#tree.symbolicLink(`/sys/class/block/${name}`, folder);
  }

  #removeUnit(session: FakeSession, lun: number): void {
    const folder = unitFolder(session, lun);
    const [name] = this.#tree.list(`${folder}/block`);
    if (name !== undefined) {
      this.multipathd.vanished(name);
      this.udev.vanished(name);
      for (const path of [`/dev/${name}`, `/sys/class/block/${name}`]) this.#tree.remove(path);
    }
    this.#tree.remove(folder);
    this.deeds.push(`delete ${name ?? `LUN ${lun}`}`);
  }

  #lunsOf(session: FakeSession): readonly number[] {
    return this.#tree.list(`${folderOf(session)}/target${session.id}:0:0`).map((name) => Number(name.split(':')[3]));
  }

  #freeIndex(): number {
    return firstFree((index) => this.#tree.kind(`/dev/sd${letters(index)}`) !== undefined);
  }

  #writeAll(folder: string, attributes: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(attributes)) this.#tree.write(`${folder}/${name}`, `${text}\n`);
  }
}

/**
 * Documentation/admin-guide/devices.txt: sixteen disks a major, of 8 and 65 to 71; from then on wherever there is room
 * (drivers/scsi/sd.c, sd_major).
 */
function numberOf(index: number): string {
  const majors = [8, 65, 66, 67, 68, 69, 70, 71];
  return `${majors[Math.floor(index / 16)] ?? 128 + Math.floor(index / 16)}:${16 * (index % 16)}`;
}

function folderOf({ id }: FakeSession): string {
  return `/sys/devices/platform/host${id}/session${id}`;
}

function unitFolder(session: FakeSession, lun: number): string {
  return `${folderOf(session)}/target${session.id}:0:0/${session.id}:0:0:${lun}`;
}
