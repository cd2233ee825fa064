#!/bin/bash
# First process of the lab machine once its root stands: kernel modules, network and daemons, then the scenarios, then power-off.
# What to do is in the kernel's command line: lab.mode=run|shell lab.services=libvirt,multipath
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=linux
mount -t tmpfs tmpfs /run
mkdir -p /run/lock /run/dbus /run/lab/log /run/lab/volumes /dev/pts /dev/shm /sys/fs/cgroup
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t cgroup2 cgroup /sys/fs/cgroup
ln -sfn /proc/self/fd /dev/fd

say() { echo "lab: $(cut -d' ' -f1 /proc/uptime) s: $*"; }
option() { tr ' ' '\n' < /proc/cmdline | sed -n "s/^lab\.$1=//p"; }
wants() { [[ ,$(option services), == *,$1,* ]]; }

say 'root is up'
stty -F /dev/ttyS1 raw -echo
date -s "@$(option time)" > /dev/null
hostname lab
ip link set lo up

# The runner needs a second or two to load; it waits for /run/lab/ready.
node=/project/node/bin/node
if [ "$(option mode)" = run ]; then
  (cd /project && exec $node build/lab/machine/run-scenarios.js > /run/lab/log/runner.log 2>&1) &
  runner=$!
fi

dbus-daemon --system --fork
/lib/systemd/systemd-udevd --daemon 2> /dev/null
if wants libvirt; then
  [ ! -d /project/capabilities ] || { mkdir -p /var/cache/libvirt/qemu && cp -a /project/capabilities /var/cache/libvirt/qemu/; }
  (libvirtd -d -f /project/lab/image/libvirtd.conf; say 'libvirtd started') &
fi
modprobe -a virtio_rng loop configfs target_core_mod target_core_file target_core_iblock iscsi_target_mod iscsi_tcp \
  scsi_dh_alua sd_mod dm_multipath dm_service_time
mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
modprobe -a rdma_rxe ib_iser ib_isert &
rdma_modules=$!
say 'modules'

ip link add portals type dummy
for n in 1 2 3 4; do ip addr add "10.99.$n.1/24" dev portals; done
ip link set portals up
ip link add rdma0 type veth peer name rdma1
ip addr add 10.98.0.1/24 dev rdma0
ip link set rdma0 up
ip link set rdma1 up
wait "$rdma_modules"
rdma link add rxe0 type rxe netdev rdma0
say 'network and soft RoCE'

mkdir -p /run/lock/iscsi; : > /run/lock/iscsi/lock   # iscsiadm leaves this one for good
# A group of its own: when iscsid ends, it ends its whole process group (usr/iscsid.c, iscsid_shutdown).
setsid iscsid -d 4 -f > /run/lab/log/iscsid.log 2>&1 &
printf 'defaults {\n find_multipaths no\n user_friendly_names yes\n skip_kpartx yes\n}\n' > /etc/multipath.conf
if wants multipath; then multipathd; fi
udevadm trigger --subsystem-match=block --subsystem-match=net --subsystem-match=misc --subsystem-match=infiniband
udevadm settle
say 'ready'
: > /run/lab/ready

if [ "$(option mode)" = run ]; then
  wait "$runner"
  say "runner ended with $?"
else
  stty -F /dev/ttyS0 sane rows "$(option rows)" cols "$(option cols)"
  (cd /project && $node build/lab/machine/shell-target.js)
  PATH=/project/node/bin:$PATH setsid -c bash -l < /dev/ttyS0 > /dev/ttyS0 2>&1
fi
cp -r /run/lab/log/. /out/log/
[ ! -d /var/cache/libvirt/qemu/capabilities ] || cp -r /var/cache/libvirt/qemu/capabilities /out/
say 'power off'
sync
echo o > /proc/sysrq-trigger
sleep 10
