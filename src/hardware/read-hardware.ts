import { canonicalAddress } from '../base/ip-address.js';
import type { FileSystem } from '../host/file-system.js';
import type { NetAddress } from '../host/net-addresses.js';
import { isListenedOn } from '../host/unix-sockets.js';
import type { Hardware, IscsiHost, NetDevice, PciFunction, RdmaPort } from './hardware.js';
import { isUnset } from '../database/record-text.js';
import { isCardOf, TRANSPORT_MODULES } from './transport-facts.js';
import { TRANSPORTS } from './transport.js';

/**
 * open-iscsi, usr/uip_mgmt_ipc.h, ISCSID_UIP_NAMESPACE: the socket that iscsid sends its requests to, made by iscsiuio
 * or by systemd for it.
 */
const ISCSIUIO_SOCKET = '@ISCSID_UIP_ABSTRACT_NAMESPACE';

/**
 * This host's hardware as sysfs and procfs show it now. Everything is read at once, a device in one file where the
 * kernel has one (`uevent`), so that it can be read before every login.
 * @param addresses of the host's network devices: they are not in sysfs
 * @param hbaAddresses whether the addresses of the HBAs' interfaces are looked at as well. be2iscsi asks its firmware
 * for each (be_iscsi.c, beiscsi_iface_get_param), which takes its time, so only who looks for an address does
 */
export async function readHardware(
  files: FileSystem,
  addresses: readonly NetAddress[],
  { hbaAddresses = false }: { readonly hbaAddresses?: boolean } = {},
): Promise<Hardware> {
  const [transports, loadedModules, loadableModules, pci, hosts, netDevices, rdmaPorts, sockets] = await Promise.all([
    files.list('/sys/class/iscsi_transport'),
    readLoadedModules(files),
    readLoadableModules(files),
    readCards(files),
    readHosts(files, hbaAddresses),
    readEach(files, '/sys/class/net', async (_files, name) => await readNetDevice(files, name, addresses)),
    readEach(files, '/sys/class/infiniband', readRdmaPorts),
    files.readText('/proc/net/unix'),
  ]);
  return {
    transports: new Set(transports),
    loadedModules,
    loadableModules,
    pci,
    hosts,
    netDevices,
    rdmaPorts: rdmaPorts.flat(),
    iscsiuioRuns: isListenedOn(sockets ?? '', ISCSIUIO_SOCKET),
  };
}

async function readLoadedModules(files: FileSystem): Promise<ReadonlySet<string>> {
  const loaded = new Set(await files.list('/sys/module'));
  return new Set(TRANSPORT_MODULES.filter((module) => loaded.has(module)));
}

/** Built in, or among the installed modules of the running kernel (modules.dep(5), modules.builtin). */
async function readLoadableModules(files: FileSystem): Promise<ReadonlySet<string>> {
  const folder = `/lib/modules/${(await files.readText('/proc/sys/kernel/osrelease')) ?? ''}`;
  const lists = await Promise.all(
    ['modules.dep', 'modules.builtin'].map((list) => files.readText(`${folder}/${list}`)),
  );
  return new Set(TRANSPORT_MODULES.filter((module) => lists.some((text) => text?.includes(`/${module}.ko`) === true)));
}

/**
 * The functions that some transport's card has. One file tells which of the hundreds are worth a look; where there is
 * no such file, all are.
 */
async function readCards(files: FileSystem): Promise<readonly PciFunction[]> {
  const [addresses, overview] = await Promise.all([
    files.list('/sys/bus/pci/devices'),
    files.readText('/proc/bus/pci/devices'),
  ]);
  const places = overview === undefined ? undefined : placesOfCards(overview);
  const functions = await readAll(
    files,
    addresses.filter((address) => places?.has(address.slice(address.indexOf(':') + 1)) !== false),
    readPciFunction,
  );
  return functions.filter((pci) => TRANSPORTS.some((transport) => isCardOf(transport, pci)));
}

/** drivers/pci/proc.c, show_device: bus, device and function in two bytes, then both ids; the domain is not there. */
function placesOfCards(overview: string): ReadonlySet<string> {
  return new Set(
    overview.split('\n').flatMap((line) => {
      const [, bus, place, vendor, device] = /^([\da-f]{2})([\da-f]{2})\t([\da-f]{4})([\da-f]{4})\t/.exec(line) ?? [];
      if (
        bus === undefined ||
        place === undefined ||
        vendor === undefined ||
        device === undefined ||
        !TRANSPORTS.some((transport) => isCardOf(transport, { vendor, device }))
      )
        return [];
      const slot = Number.parseInt(place, 16);
      return [`${bus}:${(slot >> 3).toString(16).padStart(2, '0')}.${slot & 7}`];
    }),
  );
}

async function readEach<Result>(
  files: FileSystem,
  folder: string,
  read: (files: FileSystem, name: string) => Promise<Result | undefined>,
): Promise<readonly Result[]> {
  return await readAll(files, await files.list(folder), read);
}

async function readAll<Result>(
  files: FileSystem,
  names: readonly string[],
  read: (files: FileSystem, name: string) => Promise<Result | undefined>,
): Promise<readonly Result[]> {
  const found = await Promise.all(names.map((name) => read(files, name)));
  return found.filter((result) => result !== undefined);
}

/** drivers/pci/pci-driver.c, pci_uevent: `PCI_ID=1425:5401`; `DRIVER` when one is bound. */
async function readPciFunction(files: FileSystem, address: string): Promise<PciFunction | undefined> {
  const event = await readEvent(files, `/sys/bus/pci/devices/${address}`);
  const [vendor, device] = event.get('PCI_ID')?.toLowerCase().split(':') ?? [];
  return vendor === undefined || device === undefined
    ? undefined
    : { address, vendor, device, driver: event.get('DRIVER') };
}

async function readHosts(files: FileSystem, hbaAddresses: boolean): Promise<readonly IscsiHost[]> {
  const interfaces = hbaAddresses ? await files.list('/sys/class/iscsi_iface') : [];
  return await readEach(
    files,
    '/sys/class/iscsi_host',
    async (_files, name) =>
      await readHost(
        files,
        name,
        interfaces.filter((one) => hostOfInterface(one) === name),
      ),
  );
}

/** drivers/scsi/scsi_transport_iscsi.c, iscsi_create_iface: `ipv4-iface-HOST-NUMBER`. */
function hostOfInterface(name: string): string {
  return `host${/^ipv[46]-iface-(\d+)-\d+$/.exec(name)?.[1] ?? ''}`;
}

async function readHost(
  files: FileSystem,
  name: string,
  interfaces: readonly string[],
): Promise<IscsiHost | undefined> {
  const folder = `/sys/class/iscsi_host/${name}`;
  const [driver, hwaddress, ipaddress, netdev, place, ifaceAddresses] = await Promise.all([
    files.readText(`/sys/class/scsi_host/${name}/proc_name`),
    readSet(files, `${folder}/hwaddress`),
    readSet(files, `${folder}/ipaddress`),
    readSet(files, `${folder}/netdev`),
    files.realPath(`${folder}/device`),
    Promise.all(interfaces.map((one) => readSet(files, `/sys/class/iscsi_iface/${one}/ipaddress`))),
  ]);
  if (driver === undefined) return undefined;
  return {
    host: Number(name.replace('host', '')),
    transport: driver.replace(/^iscsi_/, ''),
    hwaddress: hwaddress?.toLowerCase(),
    ipaddress: ipaddress === undefined ? undefined : canonicalAddress(ipaddress),
    ifaceAddresses: ifaceAddresses.flatMap((address) => (address === undefined ? [] : [canonicalAddress(address)])),
    netdev,
    pciAddress: /^.*\/([\da-f]{4,}:[\da-f]{2}:[\da-f]{2}\.\d)\/.*\bhost\d+/.exec(place ?? '')?.[1],
  };
}

/**
 * What drivers show while there is no address: qedi prints zeroes (qedi_iscsi.c, qedi_host_get_param), cxgbi and bnx2i
 * nothing, libiscsi's own getter `(null)`.
 */
async function readSet(files: FileSystem, path: string): Promise<string | undefined> {
  const text = (await files.readText(path))?.trim();
  return text === undefined || isUnset(text) || /^[0:.]+$/.test(text) ? undefined : text;
}

async function readNetDevice(
  files: FileSystem,
  name: string,
  all: readonly NetAddress[],
): Promise<NetDevice | undefined> {
  const folder = `/sys/class/net/${name}`;
  const entries = await files.list(folder);
  if (!entries.includes('address')) return undefined; // bonding_masters is a file, and a device may have gone
  const [hwaddress, event] = await Promise.all([
    readSet(files, `${folder}/address`),
    entries.includes('device') ? readEvent(files, `${folder}/device`) : new Map<string, string>(),
  ]);
  const own = all.filter(({ netdev }) => netdev === name);
  return {
    name,
    hwaddress: hwaddress?.toLowerCase(),
    pciAddress: event.get('PCI_SLOT_NAME'),
    driver: event.get('DRIVER'),
    addresses: own.map(({ address }) => address),
    subnets: own.flatMap(({ address, prefix }) => (prefix === undefined ? [] : [`${address}/${prefix}`])),
    lower: entries.filter((entry) => entry.startsWith('lower_')).map((entry) => entry.slice('lower_'.length)),
  };
}

async function readRdmaPorts(files: FileSystem, device: string): Promise<readonly RdmaPort[]> {
  const folder = `/sys/class/infiniband/${device}`;
  const ports = await files.list(`${folder}/ports`);
  return await Promise.all(
    ports.map(async (port): Promise<RdmaPort> => {
      const [state, netdev] = await Promise.all([
        files.readText(`${folder}/ports/${port}/state`),
        readPortNetDevice(files, folder, port),
      ]);
      return { device, port: Number(port), active: state?.includes('ACTIVE') === true, netdev };
    }),
  );
}

/**
 * That of the port's first GID; else the one soft RoCE and soft iWARP were made on; else the only one of the PCI
 * function.
 */
async function readPortNetDevice(files: FileSystem, folder: string, port: string): Promise<string | undefined> {
  for (const place of [`ports/${port}/gid_attrs/ndevs/0`, 'parent']) {
    const name = (await files.readText(`${folder}/${place}`))?.trim();
    if (name !== undefined && name !== '') return name;
  }
  const [only, ...others] = await files.list(`${folder}/device/net`);
  return others.length === 0 ? only : undefined;
}

async function readEvent(files: FileSystem, folder: string): Promise<ReadonlyMap<string, string>> {
  const lines = ((await files.readText(`${folder}/uevent`)) ?? '').split('\n');
  return new Map(
    lines.flatMap((line) => {
      const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
      return key === undefined || value === undefined ? [] : [[key, value] as const];
    }),
  );
}
