import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { NodeFileSystem } from '../../src/host/node/node-file-system.js';
import { TRANSPORT_MODULES } from '../../src/hardware/transport-facts.js';
import { CARDS } from './cards/index.js';
import { SysfsTree } from './sysfs-tree.js';

/** Names beside those that are read, as many as /sys/class/net/DEV of Linux 6.1 has: a folder is read as a whole. */
const OTHER_ATTRIBUTES = [
  'addr_assign_type',
  'addr_len',
  'broadcast',
  'carrier',
  'carrier_changes',
  'carrier_down_count',
  'carrier_up_count',
  'dev_id',
  'dev_port',
  'dormant',
  'duplex',
  'flags',
  'gro_flush_timeout',
  'ifalias',
  'ifindex',
  'iflink',
  'link_mode',
  'mtu',
  'name_assign_type',
  'napi_defer_hard_irqs',
  'netdev_group',
  'operstate',
  'phys_port_id',
  'phys_port_name',
  'phys_switch_id',
  'proto_down',
  'speed',
  'testing',
  'threaded',
  'tx_queue_len',
  'type',
];

/**
 * A big host: every family of cards with its module, 60 network devices, 220 PCI functions, eight RDMA ports, 4000
 * modules.
 */
export function bigHost(): SysfsTree {
  const tree = new SysfsTree();
  for (const card of Object.values(CARDS)) {
    card.plug(tree);
    card.load(tree);
  }
  tree.startIscsiuio();
  for (let number = 0; number < 8; number += 1) {
    const pci = `0000:40:00.${number}`;
    tree.pciFunction({ address: pci, id: '15B3:1017', driver: 'mlx5_core' });
    tree.netDevice({
      name: `enp64s0f${number}np${number}`,
      mac: `0c:42:a1:40:00:0${number}`,
      pci,
      addresses: [`10.64.${number}.5/24`],
    });
    tree.rdmaPort({ device: `mlx5_${number}`, state: '4: ACTIVE', netdev: `enp64s0f${number}np${number}`, pci });
  }
  tree.netDevice({
    name: 'bond0',
    mac: '0c:42:a1:40:00:00',
    lower: ['enp64s0f0np0', 'enp64s0f1np1'],
    addresses: ['10.70.0.5/24'],
  });
  for (let id = 1; id <= 12; id += 1)
    tree.netDevice({
      name: `bond0.${id}`,
      mac: '0c:42:a1:40:00:00',
      lower: ['bond0'],
      addresses: [`10.71.${id}.5/24`],
    });
  const missing = 60 - tree.host.tree.list('/sys/class/net').length;
  for (let number = 0; number < missing; number += 1)
    tree.netDevice({ name: `veth${number}`, mac: `0a:00:00:00:00:${number.toString(16).padStart(2, '0')}` });
  const empty = 220 - tree.host.tree.list('/sys/bus/pci/devices').length;
  for (let number = 0; number < empty; number += 1)
    tree.pciFunction({
      address: `0000:${(0x80 + Math.floor(number / 8)).toString(16)}:00.${number % 8}`,
      id: '8086:2021',
    });
  tree.installModules([...TRANSPORT_MODULES, ...Array.from({ length: 4_000 }, (_none, number) => `module${number}`)]);
  return tree;
}

/**
 * The host's own files, below a folder in which the tree is written out, its network devices with all their attributes;
 * links stay in it.
 */
export class RootedFileSystem extends NodeFileSystem {
  /** How often anything was asked of it. */
  looks = 0;
  readonly #root: string;

  constructor(root: string, { host }: SysfsTree) {
    super();
    this.#root = root;
    for (const [path, entry] of host.tree.entries()) {
      mkdirSync(dirname(`${root}${path}`), { recursive: true });
      if (entry.kind === 'link') symlinkSync(`${root}${entry.to}`, `${root}${path}`);
      else if (entry.kind === 'file') writeFileSync(`${root}${path}`, entry.text);
      else mkdirSync(`${root}${path}`, { recursive: true });
    }
    for (const name of host.tree.list('/sys/class/net'))
      for (const attribute of OTHER_ATTRIBUTES) writeFileSync(`${root}/sys/class/net/${name}/${attribute}`, '0\n');
  }

  override async readText(path: string): Promise<string | undefined> {
    this.looks++;
    return await super.readText(`${this.#root}${path}`);
  }

  override async list(directory: string): Promise<readonly string[]> {
    this.looks++;
    return await super.list(`${this.#root}${directory}`);
  }

  override async realPath(path: string): Promise<string | undefined> {
    this.looks++;
    return (await super.realPath(`${this.#root}${path}`))?.slice(this.#root.length);
  }

  override async kind(path: string): ReturnType<NodeFileSystem['kind']> {
    this.looks++;
    return await super.kind(`${this.#root}${path}`);
  }
}
