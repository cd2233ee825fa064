import type { FakeTree } from './fake-tree.js';

interface Claim {
  readonly name: string;
  readonly device: string;
}

/** There while it has something to do. */
const QUEUE = '/run/udev/queue';
/** What scsi_id prints before each kind of designator (systemd, src/udev/scsi_id). */
const PREFIX: Readonly<Record<string, string>> = { naa: '3', eui: '2', t10: '1' };

/**
 * udev on a fake host: the names below /dev/disk/by-id that it makes of WWIDs. Of several devices that claim a name the
 * last one has it, and when that goes another gets it (systemd, src/udev/udev-node.c,
 * stack_directory_find_prioritized_devnode).
 */
export class FakeUdev {
  readonly #tree: FakeTree;
  readonly #claims: Claim[] = [];
  /** False: nobody names anything. */
  runs = true;
  /** What it has not come to yet; undefined while it is quick. */
  #held: Claim[] | undefined;

  constructor(tree: FakeTree) {
    this.#tree = tree;
  }

  /** From now on it is at work and gets nothing done, until `release()`. */
  hold(): void {
    this.#held ??= [];
  }

  /** It names all that it has heard of meanwhile, and what comes from now on. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#tree.remove(QUEUE);
    for (const claim of held) this.#add(claim);
  }

  /** The uevent of a new disk. @param wwid as the kernel shows it: `naa.6001…` */
  diskAppeared(disk: string, wwid: string): void {
    const [, type = '', id = ''] = /^(naa|eui|t10)\.(.+)$/.exec(wwid) ?? [];
    if (id === '') return;
    this.#hear(`scsi-${PREFIX[type] ?? ''}${id.trim().replaceAll(/\s+/g, '_')}`, disk);
    if (type === 'naa') this.#hear(`wwn-0x${id}`, disk);
  }

  /** The uevent of a new or changed map. */
  mapAppeared(dm: string, wwid: string): void {
    this.#hear(`dm-uuid-mpath-${wwid}`, dm);
  }

  vanished(device: string): void {
    this.#held = this.#held?.filter((claim) => claim.device !== device);
    const names = this.#claims.filter((claim) => claim.device === device).map(({ name }) => name);
    this.#claims.splice(0, this.#claims.length, ...this.#claims.filter((claim) => claim.device !== device));
    for (const name of names) this.#link(name);
  }

  #hear(name: string, device: string): void {
    if (!this.runs) return;
    if (this.#held === undefined) {
      this.#add({ name, device });
    } else {
      this.#held.push({ name, device });
      this.#tree.write(QUEUE, '');
    }
  }

  #add(claim: Claim): void {
    this.#claims.push(claim);
    this.#link(claim.name);
  }

  #link(name: string): void {
    const holder = this.#claims.findLast((claim) => claim.name === name);
    if (holder === undefined) this.#tree.remove(`/dev/disk/by-id/${name}`);
    else this.#tree.symbolicLink(`/dev/disk/by-id/${name}`, `/dev/${holder.device}`);
  }
}
