#!/bin/busybox sh
# shellcheck shell=dash
# First process of the lab machine's initramfs: puts a writable layer over the root image and hands over to /project/lab/image/init.sh.
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
# lab/host/qemu.ts only asks whether this kernel comes up at all.
if grep -qw lab.mode=probe /proc/cmdline; then echo 'lab: it boots' > /dev/console; echo o > /proc/sysrq-trigger; sleep 5; fi
while read -r module; do insmod "/modules/$module"; done < /modules/order
stop() { echo "lab: $1"; echo o > /proc/sysrq-trigger; sleep 5; }
mount -t ext4 -o ro /dev/vda /mnt/ro || stop 'cannot mount the root image'
mount -t tmpfs -o size=60% tmp /mnt/rw; mkdir -p /mnt/rw/upper /mnt/rw/work
mount -t overlay -o lowerdir=/mnt/ro,upperdir=/mnt/rw/upper,workdir=/mnt/rw/work overlay /mnt/new || stop 'cannot mount the writable layer'
mkdir -p /mnt/new/project /mnt/new/out
mount -t ext4 -o ro /dev/vdb /mnt/new/project || stop 'cannot mount the project image'
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=none out /mnt/new/out || stop 'cannot mount the results folder'
mount --move /proc /mnt/new/proc; mount --move /sys /mnt/new/sys; mount --move /dev /mnt/new/dev
exec switch_root /mnt/new /bin/bash /project/lab/image/init.sh
