#!/bin/bash
# Builds what the lab machine boots from: root.img, vmlinux, initramfs and guest-initramfs. Usage: build.sh RELEASE DIR
# RELEASE is one of releases.txt. LIBVIRT_VOLUME_LAB_MIRROR names another Debian mirror.
set -euo pipefail
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
# shellcheck source=lab/image/builder.sh
. "$here/builder.sh"
umask 022 # the namespace's ids are others: they read what this user writes, and the other way round

main() {
  local out packages suite own as=() mode=root
  read -r _ suite own < <(grep "^$1 " "$here/releases.txt") || { echo "There is no release $1 in $here/releases.txt" >&2; exit 2; }
  out=$(realpath "$2")
  packages=$(grep -v '^#' "$here/packages.txt" | cat - <(tr ' ' '\n' <<< "$own") | grep . | paste -sd,)
  ready_to_build "$(dirname "$out")"
  trap remove_work_folder EXIT
  # shellcheck disable=SC2154 # set by ready_to_build
  cp "$here"/*.sh "$here"/*.txt "$work/"
  # shellcheck disable=SC2154 # set by ready_to_build
  case $builder in sudo) as=("${as_root[@]}") ;; namespace) mode=unshare ;; esac
  # shellcheck disable=SC2016 # expanded in the hook
  "${as[@]}" env INITRD=No TMPDIR="$work" LAB_WORK="$work" mmdebstrap --mode="$mode" --variant=minbase --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/lib/modules/*/kernel/sound/*' --dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/gpu/*' \
    --dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/media/*' --dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/net/wireless/*' \
    --dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/staging/*' \
    --customize-hook='bash "$LAB_WORK/build.sh" --hook "$1" "$LAB_WORK"' \
    "$suite" /dev/null ${LIBVIRT_VOLUME_LAB_MIRROR:+"$LIBVIRT_VOLUME_LAB_MIRROR"}
  cp --sparse=always "$work"/{root.img,vmlinux,initramfs,guest-initramfs} "$out/"
}

# Runs while the root folder stands, with its owners as the machine shall see them. Usage: --hook ROOT OUT
hook() {
  local root=$1 out=$2 kernel
  configure "$root"
  kernel=$(ls "$root/lib/modules")
  unpack "$root" "/boot/vmlinuz-$kernel" > "$out/vmlinux"
  initramfs "$root" "$kernel" "$here/machine-init.sh" "$out/initramfs" virtio_pci virtio_blk ext4 crc32c_generic 9p 9pnet_virtio overlay
  initramfs "$root" "$kernel" "$here/guest-init.sh" "$out/guest-initramfs" virtio_pci virtio_blk virtio_scsi sd_mod
  truncate -s 2G "$out/root.img"
  # mmdebstrap has /proc and /sys mounted in there; a bind mount shows the folder without them.
  mkdir -p "$out/bare"
  mount --bind "$root" "$out/bare"
  mke2fs -q -F -t ext4 -O '^has_journal,^metadata_csum' -m 0 -d "$out/bare" "$out/root.img"
  umount "$out/bare"; rmdir "$out/bare"
}

configure() {
  local root=$1
  # libvirtd does not start without these, which Debian 12 has in libvirt-daemon-system alone.
  chroot "$root" groupadd -rf libvirt
  chroot "$root" id -u libvirt-qemu > /dev/null 2>&1 || chroot "$root" useradd -r libvirt-qemu
  mkdir -p "$root"/var/log/libvirt/qemu "$root"/var/lib/libvirt/qemu "$root"/var/cache/libvirt "$root"/etc/target "$root"/var/target/pr
  printf '%s\n' 'user = "root"' 'group = "root"' 'security_driver = "none"' 'namespaces = []' 'cgroup_controllers = []' \
    'remember_owner = 0' 'stdio_handler = "file"' >> "$root/etc/libvirt/qemu.conf"
  echo 'InitiatorName=iqn.2026-11.org.example:initiator' > "$root/etc/iscsi/initiatorname.iscsi"
  echo lab > "$root/etc/hostname"
  echo '127.0.0.1 localhost lab' > "$root/etc/hosts"
}

# The kernel without its compression, which takes a guest of the emulated machine minutes to undo. Where it is: Documentation/arch/x86/boot.rst, setup_sects,
# payload_offset and payload_length; behind it stand four bytes with its size. What it is compressed with its first bytes say. Usage: unpack ROOT VMLINUZ
unpack() {
  local file=$1$2 sectors offset length start magic
  field() { od -An -t"$1" -j"$2" -N"${1#u}" "$file" | tr -d ' '; }
  sectors=$(field u1 0x1f1) offset=$(field u4 0x248) length=$(field u4 0x24c)
  start=$(((sectors + 1) * 512 + offset))
  magic=$(od -An -tx1 -j"$start" -N4 "$file" | tr -d ' ')
  head -c $((start + length - 4)) "$file" | tail -c +$((start + 1)) | case $magic in
    fd377a58) xz -dc ;;
    28b52ffd) chroot "$1" zstd -dc ;;
    *) echo "Cannot unpack $file: no compression begins with $magic" >&2; return 1 ;;
  esac
}

# An initramfs with busybox, modules and what they need, in the order to load them. Usage: initramfs ROOT KERNEL INIT FILE MODULE...
initramfs() {
  local root=$1 kernel=$2 init=$3 file=$4 tree module path name
  shift 4
  tree=$(mktemp -d "$file.XXXXXX") # what the builder may write to is not /tmp everywhere
  mkdir -p "$tree"/{bin,proc,sys,dev,mnt/ro,mnt/rw,mnt/new,modules}
  cp "$root/bin/busybox" "$tree/bin/busybox"
  cp "$init" "$tree/init"; chmod 755 "$tree/init"
  : > "$tree/modules/order"
  for module in "$@"; do
    { modprobe -d "$root" -S "$kernel" --show-depends "$module" || true; } | sed -nE 's/^insmod (.*\.ko(\.[a-z]+)?)( .*)?$/\1/p' | while read -r path; do
      name=$(basename "$path")
      [ ! -f "$tree/modules/${name%.xz}" ] || continue
      # busybox loads a module as it is.
      if [ "$name" = "${name%.xz}" ]; then cp "$path" "$tree/modules/"; else xz -dc "$path" > "$tree/modules/${name%.xz}"; fi
      echo "${name%.xz}" >> "$tree/modules/order"
    done
  done
  (cd "$tree" && find . | cpio -o -H newc 2> /dev/null) > "$file"
  rm -rf "$tree"
}

if [ "$1" = --hook ]; then hook "$2" "$3"; else main "$1" "$2"; fi
