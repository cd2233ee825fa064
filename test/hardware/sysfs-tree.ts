import { FakeClock } from '../fakes/fake-clock.js';
import { FakeHost } from '../fakes/fake-host.js';
import type { FileSystem } from '../../src/host/file-system.js';
import type { NetAddress, NetAddresses } from '../../src/host/net-addresses.js';
import type { Hardware } from '../../src/hardware/hardware.js';
import { readHardware } from '../../src/hardware/read-hardware.js';
import { TRANSPORT_FACTS, TRANSPORT_MODULES } from '../../src/hardware/transport-facts.js';
import type { Transport } from '../../src/hardware/transport.js';

const RELEASE = '6.1.0-56-amd64';
const PCI_ROOT = '/sys/devices/pci0000:00/0000:00:03.0';

/**
 * A sysfs and procfs as Linux 6.1 lays them out, to plug cards into. Built in the layout that a 6.1 machine with the
 * modules and without the cards shows.
 */
export class SysfsTree {
  readonly host: FakeHost;
  readonly #addresses: NetAddress[] = [];
  readonly #pci = new Map<string, string>();
  readonly #links = new Map<string, readonly string[]>();

  /** @param host whose sysfs it is to be, before anything happens on it */
  constructor(host = new FakeHost({ clock: new FakeClock() })) {
    this.host = host;
    const { tree } = host;
    tree.remove('/sys'); // a fake host's own, which has no hardware
    tree.write('/proc/sys/kernel/osrelease', `${RELEASE}\n`);
    tree.write(
      '/proc/net/unix',
      'Num       RefCount Protocol Flags    Type St Inode Path\n00000000ddb5d88d: 00000002 00000000 00010000 0001 ' +
        '01 12131 @ISCSIADM_ABSTRACT_NAMESPACE\n',
    );
    this.installModules(TRANSPORT_MODULES.filter((module) => module !== 'ocs'));
    this.pciFunction({ address: '0000:00:00.0', id: '8086:29C0' });
    this.netDevice({ name: 'lo', mac: '00:00:00:00:00:00' });
  }

  get files(): FileSystem {
    return this.host;
  }

  get addresses(): readonly NetAddress[] {
    return this.#addresses;
  }

  get netAddresses(): NetAddresses {
    return { list: () => this.#addresses };
  }

  async hardware(): Promise<Hardware> {
    return await readHardware(this.files, this.#addresses, { hbaAddresses: true });
  }

  /** modules.dep of Debian: `kernel/drivers/scsi/qedi/qedi.ko: kernel/…`. */
  installModules(modules: readonly string[]): void {
    this.host.tree.write(
      `/lib/modules/${RELEASE}/modules.dep`,
      modules.map((module) => `kernel/drivers/scsi/${module}/${module}.ko: kernel/drivers/scsi/libiscsi.ko\n`).join(''),
    );
  }

  /** What modprobe leaves: the module and the transport that it registers. */
  load(transport: Transport): void {
    this.loadUnregistered(transport);
    this.host.tree.write(`/sys/class/iscsi_transport/${transport}/handle`, '18446744072639905792\n');
  }

  loadUnregistered(transport: Transport): void {
    this.host.tree.write(`/sys/module/${TRANSPORT_FACTS[transport].module}/refcnt`, '0\n');
  }

  /** drivers/pci/pci-driver.c, pci_uevent; drivers/pci/proc.c, show_device. */
  pciFunction({
    address,
    id,
    driver,
  }: {
    readonly address: string;
    readonly id: string;
    readonly driver?: string | undefined;
  }): void {
    this.host.tree.write(
      `${PCI_ROOT}/${address}/uevent`,
      `${driver === undefined ? '' : `DRIVER=${driver}\n`}PCI_CLASS=20000\nPCI_ID=${id}\n` +
        `PCI_SUBSYS_ID=0000:0000\nPCI_SLOT_NAME=${address}\n`,
    );
    this.#link(`/sys/bus/pci/devices/${address}`, `${PCI_ROOT}/${address}`, address);
    const [, bus = '', slot = '', number = ''] = /^0000:(\w\w):(\w\w)\.(\d)$/.exec(address) ?? [];
    const devfn = (Number.parseInt(slot, 16) * 8 + Number(number)).toString(16).padStart(2, '0');
    this.#pci.set(address, `${bus}${devfn}\t${id.toLowerCase().replace(':', '')}\t0\t0\t${driver ?? ''}\n`);
    this.host.tree.write('/proc/bus/pci/devices', [...this.#pci.values()].join(''));
  }

  /** `lower_DEV` are the links of net/core/dev.c, netdev_adjacent_sysfs_add. */
  netDevice({ name, mac, pci, lower = [], addresses = [] }: NetDeviceParts): void {
    const { tree } = this.host;
    const place = pci === undefined ? `/sys/devices/virtual/net/${name}` : `${PCI_ROOT}/${pci}/net/${name}`;
    tree.write(`${place}/address`, `${mac}\n`);
    tree.write(`${place}/uevent`, `INTERFACE=${name}\nIFINDEX=2\n`);
    if (pci !== undefined) tree.symbolicLink(`${place}/device`, `${PCI_ROOT}/${pci}`);
    for (const below of lower) tree.symbolicLink(`${place}/lower_${below}`, `/sys/class/net/${below}`);
    this.#link(`/sys/class/net/${name}`, place, pci);
    for (const cidr of addresses) {
      const [address = '', prefix] = cidr.split('/');
      this.#addresses.push({ netdev: name, address, prefix: prefix === undefined ? undefined : Number(prefix) });
    }
  }

  /**
   * drivers/scsi/scsi_transport_iscsi.c, iscsi_host attributes: those that the driver's attr_is_visible shows. What is
   * not given is not there.
   */
  iscsiHost({ host, procName, pci, mac, ip, netdev }: IscsiHostParts): void {
    const { tree } = this.host;
    const place = pci === undefined ? `/sys/devices/platform/host${host}` : `${PCI_ROOT}/${pci}/host${host}`;
    tree.write(`${place}/scsi_host/host${host}/proc_name`, `${procName}\n`);
    tree.directory(`${place}/iscsi_host/host${host}`);
    for (const [key, value] of Object.entries({ hwaddress: mac, ipaddress: ip, netdev }))
      if (value !== undefined) tree.write(`${place}/iscsi_host/host${host}/${key}`, value === '' ? '' : `${value}\n`);
    tree.symbolicLink(`${place}/iscsi_host/host${host}/device`, place);
    this.#link(`/sys/class/iscsi_host/host${host}`, `${place}/iscsi_host/host${host}`, pci);
    this.#link(`/sys/class/scsi_host/host${host}`, `${place}/scsi_host/host${host}`, pci);
  }

  /**
   * drivers/scsi/scsi_transport_iscsi.c, iscsi_create_iface: an interface of an HBA that keeps its addresses on the
   * card.
   */
  iscsiInterface({
    host,
    pci,
    family,
    number = 0,
    ip,
  }: {
    readonly host: number;
    readonly pci: string;
    readonly family: 4 | 6;
    readonly number?: number;
    readonly ip: string;
  }): void {
    const name = `ipv${family}-iface-${host}-${number}`;
    const place = `${PCI_ROOT}/${pci}/host${host}/iscsi_iface/${name}`;
    this.host.tree.write(`${place}/ipaddress`, `${ip}\n`);
    this.#link(`/sys/class/iscsi_iface/${name}`, place, pci);
  }

  /** Takes a function away with all that stands on it: it is not plugged, or is a guest's. */
  unplug(address: string): void {
    for (const path of this.#links.get(address) ?? []) this.host.tree.remove(path);
    this.host.tree.remove(`${PCI_ROOT}/${address}`);
    this.#pci.delete(address);
    this.host.tree.write('/proc/bus/pci/devices', [...this.#pci.values()].join(''));
  }

  #link(path: string, place: string, pci: string | undefined): void {
    this.host.tree.symbolicLink(path, place);
    if (pci !== undefined) this.#links.set(pci, [...(this.#links.get(pci) ?? []), path]);
  }

  /** drivers/infiniband/core/sysfs.c. `parent` is soft RoCE's (drivers/infiniband/sw/rxe/rxe_verbs.c, parent_show). */
  rdmaPort({ device, port = 1, state, netdev, pci, parent }: RdmaPortParts): void {
    const { tree } = this.host;
    const place =
      pci === undefined ? `/sys/devices/virtual/infiniband/${device}` : `${PCI_ROOT}/${pci}/infiniband/${device}`;
    tree.write(`${place}/ports/${port}/state`, `${state}\n`);
    if (netdev !== undefined) tree.write(`${place}/ports/${port}/gid_attrs/ndevs/0`, `${netdev}\n`);
    if (parent !== undefined) tree.write(`${place}/parent`, `${parent}\n`);
    if (pci !== undefined) tree.symbolicLink(`${place}/device`, `${PCI_ROOT}/${pci}`);
    this.#link(`/sys/class/infiniband/${device}`, place, pci);
  }

  startIscsiuio(): void {
    const sockets = this.host.tree.read('/proc/net/unix') ?? '';
    this.host.tree.write(
      '/proc/net/unix',
      `${sockets}00000000ae0fbc25: 00000002 00000000 00010000 0001 01 11435 @ISCSID_UIP_ABSTRACT_NAMESPACE\n`,
    );
  }
}

interface NetDeviceParts {
  readonly name: string;
  readonly mac: string;
  readonly pci?: string;
  readonly lower?: readonly string[];
  /** `10.0.0.5/24`, or without a prefix when it is not known. */
  readonly addresses?: readonly string[];
}

interface IscsiHostParts {
  readonly host: number;
  readonly procName: string;
  readonly pci?: string;
  readonly mac?: string;
  /** Empty where the driver prints nothing. */
  readonly ip?: string;
  readonly netdev?: string;
}

interface RdmaPortParts {
  readonly device: string;
  readonly port?: number;
  readonly state: '4: ACTIVE' | '1: DOWN' | '2: INIT';
  readonly netdev?: string;
  readonly pci?: string;
  readonly parent?: string;
}
