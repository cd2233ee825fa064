// limit: 120 s
import { execSync } from 'node:child_process';
import { test } from '../guest/scenario.js';

test('probe', () => {
  const sh = (command: string): void => { console.log(`$ ${command}`); try { console.log(execSync(command, { encoding: 'utf8', shell: '/bin/bash' })); } catch (error) { console.log(String(error)); } };
  sh('ls /sys/class/iscsi_transport; uname -r; ls /lib/modules/*; wc /lib/modules/*/modules.dep; grep -E "iscsi|cxgb|bnx2i|qedi|qla4|ib_iser" /lib/modules/*/modules.dep | cut -c1-200; grep -E "iscsi|iser" /lib/modules/*/modules.builtin');
  sh('ls -l /sys/class/infiniband/ /sys/class/infiniband/rxe0/ /sys/class/infiniband/rxe0/ports/1 /sys/class/infiniband/rxe0/ports/1/gid_attrs /sys/class/infiniband/rxe0/ports/1/gid_attrs/*');
  sh('cd /sys/class/infiniband/rxe0; cat parent; readlink -f device; cd ports/1; grep . state phys_state link_layer gid_attrs/ndevs/* gid_attrs/types/* gids/* 2>&1 | head -40');
  sh('for m in cxgb3i cxgb4i bnx2i qla4xxx be2iscsi qedi; do date +%s.%N; modprobe $m; echo $m $?; done; ls /sys/class/iscsi_transport /sys/module | tr "\\n" " "; lsmod');
  sh('ls -l /sys/bus/pci/devices/*; grep . /sys/bus/pci/devices/*/{vendor,device}; ls -l /sys/class/net/ /sys/class/net/*/; cat /proc/net/unix; ls /sys/class/iscsi_host /sys/class/scsi_host');
  sh('ip link set rdma1 down; sleep 0.3; cat /sys/class/infiniband/rxe0/ports/1/state; cat /sys/class/infiniband/rxe0/ports/1/gid_attrs/ndevs/0; ip link set rdma1 up; ip link set rdma0 down;  sleep 0.3; cat /sys/class/infiniband/rxe0/ports/1/state; cat /sys/class/infiniband/rxe0/ports/1/gid_attrs/ndevs/* 2>&1; ip link set rdma0 up; sleep 0.5; cat /sys/class/infiniband/rxe0/ports/1/state');
  sh('ip link add link rdma0 name rdma0.5 type vlan id 5; ip link add bond7 type bond; ls -l /sys/class/net/rdma0.5/ /sys/class/net/bond7/; cat /sys/class/net/rdma0/address; cat /sys/class/net/rdma0.5/address; ip link add d7 type dummy; ip link set d7 master bond7; ls -l /sys/class/net/bond7/ ; ip link del rdma0.5; ip link del bond7; ip link del d7; ip addr; cat /proc/net/route /proc/net/fib_trie');
  sh('rmmod qedi be2iscsi qla4xxx bnx2i cxgb4i cxgb3i; ls /sys/class/iscsi_transport');
});
