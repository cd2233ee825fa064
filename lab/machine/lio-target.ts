import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import type { LioVolume } from './lio-volume.js';

const FABRIC = '/sys/kernel/config/target/iscsi';

/** Where targets can be reached in the lab machine. */
export const TCP_ADDRESSES = ['10.99.1.1', '10.99.2.1', '10.99.3.1', '10.99.4.1'] as const;
/** On the soft RoCE device: speaks iSER too when made with `iser`. TCP gets there even when the RDMA port is down. */
export const ISER_ADDRESS = '10.98.0.1';

export interface LioPortal {
  readonly address: string;
  readonly port?: number;
  readonly iser?: boolean;
  /** The network namespace to listen in, by the name that `ip netns` gave it. */
  readonly namespace?: string;
}

export interface Chap {
  readonly username: string;
  readonly password: string;
}

export interface LioTargetOptions {
  readonly iqn: string;
  readonly portals: readonly LioPortal[];
  /** LUN number to volume. */
  readonly luns: Readonly<Record<number, LioVolume>>;
  readonly tag?: number;
  readonly chap?: Chap;
  /** What the target proves itself with to an initiator that asks. Needs `chap`. */
  readonly mutualChap?: Chap;
  /** The initiators that may log in; anyone when absent. */
  readonly initiators?: readonly string[];
}

/**
 * A target of the machine's own kernel (LIO), written into configfs. Portals and LUNs can come and go while it serves;
 * dispose of it with `using`, or by remove(). Names follow `iqn.YYYY-MM.a.b:name`: LIO refuses a domain part without a
 * dot.
 */
export class LioTarget implements Disposable {
  readonly iqn: string;
  readonly tag: number;
  readonly #group: string;

  constructor({ iqn, portals, luns, tag = 1, chap, mutualChap, initiators }: LioTargetOptions) {
    this.iqn = iqn;
    this.tag = tag;
    this.#group = `${FABRIC}/${iqn}/tpgt_${tag}`;
    mkdirSync(this.#group, { recursive: true });
    try {
      this.#setAccess(chap, initiators);
      if (mutualChap !== undefined)
        this.#write('auth', { userid_mutual: mutualChap.username, password_mutual: mutualChap.password });
      for (const [lun, volume] of Object.entries(luns)) this.addLun(Number(lun), volume);
      for (const initiator of initiators ?? []) this.#addInitiator(initiator, chap);
      for (const portal of portals) this.addPortal(portal);
      this.enable();
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  enable(): void {
    writeFileSync(`${this.#group}/enable`, '1');
  }

  /** Ends all sessions and takes no new ones. */
  disable(): void {
    writeFileSync(`${this.#group}/enable`, '0');
  }

  /** For logins from now on. */
  setChap(chap: Chap): void {
    this.#write('auth', { userid: chap.username, password: chap.password });
  }

  /** How many logins there were, by their end: `accepts`, `authenticate_fails` and the like. */
  loginCounts(): Readonly<Record<string, number>> {
    const folder = `${FABRIC}/${this.iqn}/fabric_statistics/iscsi_login_stats`;
    return Object.fromEntries(
      ['accepts', 'authenticate_fails', 'authorize_fails', 'negotiate_fails', 'other_fails'].map((name) => [
        name,
        Number(readFileSync(`${folder}/${name}`, 'utf8')),
      ]),
    );
  }

  addLun(lun: number, volume: LioVolume): void {
    mkdirSync(`${this.#group}/lun/lun_${lun}`);
    symlinkSync(volume.backstore, `${this.#group}/lun/lun_${lun}/volume`);
  }

  removeLun(lun: number): void {
    unlinkSync(`${this.#group}/lun/lun_${lun}/volume`);
    rmdirSync(`${this.#group}/lun/lun_${lun}`);
  }

  addPortal({ address, port = 3260, iser = false, namespace }: LioPortal): void {
    const portal = this.#portal(address, port);
    if (namespace === undefined) mkdirSync(portal);
    // LIO listens where the maker of the folder is (drivers/target/iscsi/iscsi_target_login.c, iscsit_setup_np)
    else execFileSync('nsenter', [`--net=/run/netns/${namespace}`, 'mkdir', portal]);
    if (iser) writeFileSync(`${portal}/iser`, '1');
  }

  removePortal({ address, port = 3260 }: LioPortal): void {
    rmdirSync(this.#portal(address, port));
  }

  /** How many logins it has refused, for want of a right or of the right password. */
  get refusedLogins(): number {
    const count = (what: string): number =>
      Number(readFileSync(`${FABRIC}/${this.iqn}/fabric_statistics/iscsi_login_stats/${what}`, 'utf8'));
    return count('authorize_fails') + count('authenticate_fails');
  }

  remove(): void {
    this.disable();
    for (const initiator of listed(`${this.#group}/acls`)) {
      for (const lun of listed(`${this.#group}/acls/${initiator}`).filter((name) => name.startsWith('lun_')))
        removeMapping(`${this.#group}/acls/${initiator}/${lun}`);
      rmdirSync(`${this.#group}/acls/${initiator}`);
    }
    for (const lun of listed(`${this.#group}/lun`)) this.removeLun(Number(lun.slice('lun_'.length)));
    for (const portal of listed(`${this.#group}/np`)) rmdirSync(`${this.#group}/np/${portal}`);
    rmdirSync(this.#group);
    if (!listed(`${FABRIC}/${this.iqn}`).some((name) => name.startsWith('tpgt_'))) rmdirSync(`${FABRIC}/${this.iqn}`);
  }

  [Symbol.dispose](): void {
    this.remove();
  }

  #setAccess(chap: Chap | undefined, initiators: readonly string[] | undefined): void {
    const anyone = initiators === undefined ? '1' : '0';
    const attributes = {
      authentication: chap === undefined ? '0' : '1',
      generate_node_acls: anyone,
      cache_dynamic_acls: anyone,
      demo_mode_write_protect: '0',
    };
    this.#write('attrib', attributes);
    if (chap !== undefined) this.setChap(chap);
  }

  #write(folder: string, values: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(values)) writeFileSync(`${this.#group}/${folder}/${name}`, value);
  }

  #addInitiator(initiator: string, chap: Chap | undefined): void {
    const acl = `${this.#group}/acls/${initiator}`;
    mkdirSync(acl);
    for (const lun of listed(`${this.#group}/lun`)) {
      mkdirSync(`${acl}/${lun}`);
      symlinkSync(`${this.#group}/lun/${lun}`, `${acl}/${lun}/mapped`);
    }
    if (chap === undefined) return;
    writeFileSync(`${acl}/auth/userid`, chap.username);
    writeFileSync(`${acl}/auth/password`, chap.password);
  }

  #portal(address: string, port: number): string {
    return `${this.#group}/np/${address.includes(':') ? `[${address}]` : address}:${port}`;
  }
}

/** configfs shows groups of its own (`attrib`, `statistics`) as folders too, so callers name where they look. */
function listed(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

function removeMapping(mapping: string): void {
  for (const entry of readdirSync(mapping, { withFileTypes: true })) {
    if (entry.isSymbolicLink() && readlinkSync(`${mapping}/${entry.name}`) !== '')
      unlinkSync(`${mapping}/${entry.name}`);
  }
  rmdirSync(mapping);
}
