import type { SysfsTree } from '../sysfs-tree.js';

type State = '4: ACTIVE' | '1: DOWN' | '2: INIT';

/**
 * NVIDIA ConnectX-5, two functions, one RoCE port each with its device (drivers/infiniband/core/sysfs.c;
 * drivers/infiniband/hw/mlx5/main.c).
 */
export function plugConnectX(tree: SysfsTree, states: readonly [State, State] = ['4: ACTIVE', '4: ACTIVE']): void {
  for (const port of [0, 1] as const) {
    const pci = `0000:0c:00.${port}`;
    tree.pciFunction({ address: pci, id: '15B3:1017', driver: 'mlx5_core' });
    tree.netDevice({
      name: `enp12s0f${port}np${port}`,
      mac: `0c:42:a1:0c:00:0${port}`,
      pci,
      addresses: [`10.12.${port}.5/24`, `fd00:12:${port}::5/64`],
    });
    tree.rdmaPort({ device: `mlx5_${port}`, state: states[port], netdev: `enp12s0f${port}np${port}`, pci });
  }
}

/**
 * Soft RoCE on a veth, as a Linux 6.1 machine showed it: no `device`, a `parent`, and 1024 GID slots of which most
 * cannot be read.
 */
export function plugSoftRoce(tree: SysfsTree, state: State = '4: ACTIVE'): void {
  tree.netDevice({
    name: 'rdma0',
    mac: 'a6:ca:0b:41:61:7b',
    addresses: ['10.98.0.1/24', 'fe80::a4ca:bff:fe41:617b/64'],
  });
  tree.rdmaPort({ device: 'rxe0', state, parent: 'rdma0' });
}

/** An InfiniBand port without IPoIB: nothing tells which network it is on. */
export function plugInfiniBand(tree: SysfsTree): void {
  tree.pciFunction({ address: '0000:0d:00.0', id: '15B3:1003', driver: 'mlx4_core' });
  tree.rdmaPort({ device: 'mlx4_0', state: '4: ACTIVE', pci: '0000:0d:00.0' });
}
