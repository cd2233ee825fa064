import type { FileSystem } from '../host/file-system.js';
import type { Iface } from './iface.js';
import type { Transport } from './transport.js';

/** The kernel module that registers each transport (usr/transport.c, and the drivers' own names). */
const MODULE_OF: Readonly<Record<Transport, string>> = {
  tcp: 'iscsi_tcp', iser: 'ib_iser', cxgb3i: 'cxgb3i', cxgb4i: 'cxgb4i', bnx2i: 'bnx2i', qla4xxx: 'qla4xxx', be2iscsi: 'be2iscsi', ocs: 'ocs', qedi: 'qedi',
};

/**
 * Whether sessions over this iface can come to be at all, from sysfs alone.
 * @returns `undefined` when they can, else the reason, with the command that mends it where there is one
 */
export async function whyUnusable({ transport, hwaddress, name }: Iface, files: FileSystem): Promise<string | undefined> {
  const module = MODULE_OF[transport];
  if ((await files.kind(`/sys/class/iscsi_transport/${transport}`)) === undefined && !(await isLoadable(module, files))) {
    return `the kernel has no transport ${transport}: its module ${module} is not installed`;
  }
  if (transport === 'tcp') return undefined;
  if (transport === 'iser') return (await hasActiveRdmaPort(files)) ? undefined : 'no RDMA port is active: see "rdma link"';
  if ((await files.kind(`/sys/class/iscsi_transport/${transport}`)) === undefined) return `the module ${module} is not loaded: modprobe ${module}`;
  if (hwaddress === undefined) return `the iface ${name} names no hwaddress, so no ${transport} card can be found`;
  return (await hasAdapter(transport, hwaddress, files)) ? undefined : `no ${transport} card has the MAC address ${hwaddress}`;
}

/** Built in, or among the modules of the running kernel: iscsiadm loads it at login (usr/transport.c, transport_load_kmod). */
async function isLoadable(module: string, files: FileSystem): Promise<boolean> {
  const folder = `/lib/modules/${(await files.readText('/proc/sys/kernel/osrelease')) ?? ''}`;
  const lists = await Promise.all(['modules.dep', 'modules.builtin'].map((list) => files.readText(`${folder}/${list}`)));
  return lists.some((text) => new RegExp(`/${module}\\.ko(?:\\.\\w+)?(?::|$)`, 'm').test(text ?? ''));
}

async function hasActiveRdmaPort(files: FileSystem): Promise<boolean> {
  for (const device of await files.list('/sys/class/infiniband')) {
    for (const port of await files.list(`/sys/class/infiniband/${device}/ports`)) {
      const state = await files.readText(`/sys/class/infiniband/${device}/ports/${port}/state`);
      if (state?.includes('ACTIVE') === true) return true;
    }
  }
  return false;
}

async function hasAdapter(transport: Transport, hwaddress: string, files: FileSystem): Promise<boolean> {
  for (const host of await files.list('/sys/class/iscsi_host')) {
    const mac = await files.readText(`/sys/class/iscsi_host/${host}/hwaddress`);
    const driver = await files.readText(`/sys/class/scsi_host/${host}/proc_name`);
    if (mac?.toLowerCase() === hwaddress && driver?.replace(/^iscsi_/, '') === transport) return true;
  }
  return false;
}
