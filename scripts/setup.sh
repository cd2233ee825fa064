#!/bin/bash
# Gets this machine ready: Debian packages, Node's version, node_modules. Does nothing where nothing is missing.
set -euo pipefail
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/.."

say() { echo "setup: $*" >&2; }
stop() { echo "setup: $*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo > /dev/null; then sudo "$@"
  else stop "needs root for: $*. Run this as root, or install sudo, or run that command yourself."
  fi
}

check_node() {
  command -v node > /dev/null || stop 'Node.js is not installed. This project needs Node 20.19 or newer: https://nodejs.org/en/download'
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    stop "Node $(node --version) is too old: this project needs 20.19 or newer."
  command -v npm > /dev/null || stop 'npm is not installed; it comes with Node.js from https://nodejs.org, and as package npm in Debian and Ubuntu.'
}

# command=package: what the lab needs on this machine.
install_packages() {
  local missing=() need schema=/usr/share/libvirt/schemas/domainoverrides.rng
  for need in mmdebstrap=mmdebstrap qemu-system-x86_64=qemu-system-x86 modprobe=kmod cpio=cpio xz=xz-utils mke2fs=e2fsprogs flock=util-linux busybox=busybox-static; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${need%%=*}" > /dev/null || missing+=("${need#*=}")
  done
  [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
  if [ "$(id -u)" != 0 ] && ! command -v newuidmap > /dev/null; then missing+=(uidmap); fi
  [ -e "$schema" ] || missing+=(libvirt0)
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get > /dev/null || stop "needs ${missing[*]}, and knows only apt-get to install them."
  say "installing ${missing[*]}"
  as_root apt-get update -qq > /dev/null || say 'apt-get update had complaints; going on'
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null ||
    stop "could not install ${missing[*]}. To see why: apt-get install ${missing[*]}"
  # libvirt's RelaxNG schemas moved from libvirt0 to libvirt-common with Debian 13.
  [ -e "$schema" ] || as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libvirt-common > /dev/null ||
    stop "libvirt's schemas are in neither libvirt0 nor libvirt-common: $schema"
}

install_node_modules() {
  local stamp=node_modules/.package-lock.json
  if [ -f "$stamp" ] && [ ! package-lock.json -nt "$stamp" ]; then return 0; fi
  say 'installing node_modules (npm ci)'
  npm ci --no-audit --no-fund --loglevel=error >&2 || stop 'npm ci failed; its words stand above.'
  touch "$stamp"
}

check_node
install_packages
install_node_modules
