/** A logical unit that a fake target exports. */
export interface FakeUnit {
  /** As the kernel prints it: `naa.6001405…`. */
  readonly wwid: string;
  readonly sizeBytes: number;
}

export interface FakePortal {
  readonly address: string;
  readonly port: number;
  /** What answers there: iSCSI over TCP or over RDMA, or nothing. */
  readonly serves: 'tcp' | 'iser' | 'nothing';
}

/** A storage array's target, as far as an initiator can tell. */
export class FakeTarget {
  readonly iqn: string;
  readonly portals: readonly FakePortal[];
  readonly units = new Map<number, FakeUnit>();
  chap: { readonly username: string; readonly password: string } | undefined;
  /** The initiators that it lets in; all when absent. */
  admits: ReadonlySet<string> | undefined;

  constructor({
    iqn,
    portals,
    chap,
  }: {
    readonly iqn: string;
    readonly portals: readonly FakePortal[];
    readonly chap?: { readonly username: string; readonly password: string };
  }) {
    this.iqn = iqn;
    this.portals = portals;
    this.chap = chap;
  }

  /** Makes a volume larger, or smaller. The kernel shows it once it asks again. */
  resize(lun: number, sizeBytes: number): void {
    const unit = this.units.get(lun);
    if (unit === undefined) throw new RangeError(`No LUN ${lun} of ${this.iqn}`);
    this.units.set(lun, { ...unit, sizeBytes });
  }

  /**
   * iscsiadm's exit status for a login (open-iscsi, include/iscsi_err.h); `undefined` for a portal that is not its own.
   * @param initiator the name that it logs in by
   */
  loginStatus(
    portal: { readonly address: string; readonly port: number },
    transport: string,
    record: ReadonlyMap<string, string>,
    initiator = '',
  ): number | undefined {
    const found = this.portals.find(({ address, port }) => address === portal.address && port === portal.port);
    if (found === undefined) return undefined;
    if (found.serves === 'nothing' || (found.serves === 'iser') !== (transport === 'iser')) return 8;
    if (this.admits?.has(initiator) === false) return 24;
    if (this.chap === undefined) return 0;
    const proven =
      record.get('node.session.auth.username') === this.chap.username &&
      record.get('node.session.auth.password') === this.chap.password;
    return proven ? 0 : 24;
  }
}
