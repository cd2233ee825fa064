#!/bin/bash
# Gets this machine ready: Debian packages, Node's version, node_modules. Does nothing where nothing is missing. What cannot work is said before anything is built.
# Usage: setup.sh [COMMAND=PACKAGE...], what is needed beside the usual
set -euo pipefail
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/.."
. scripts/able-node.sh

say() { echo "setup: $*" >&2; }
stop() { echo "setup: $*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo > /dev/null; then sudo "$@"
  else stop "needs root for: $*. Run this as root, or install sudo, or run that command yourself."
  fi
}

check_machine() {
  [ "$(uname -sm)" = 'Linux x86_64' ] || stop "this is $(uname -sm), and the lab machine is one for Linux on x86_64 (amd64)."
}

check_node() {
  command -v node > /dev/null || stop 'Node.js is not installed. This project needs Node 20.19 or newer: https://nodejs.org/en/download'
  [ "$(node scripts/nodes.js able)" = "$(node -p process.execPath)" ] ||
    stop "Node $(node --version) is too old, and none could be installed in its place. This project needs 20.19 or newer: https://nodejs.org/en/download"
  command -v npm > /dev/null || stop 'npm is not installed; it comes with Node.js from https://nodejs.org, and as package npm in Debian and Ubuntu.'
  [ "${LIBVIRT_VOLUME_LAB:-}" = skip ] || node scripts/nodes.js lab > /dev/null || stop 'there is no Node for the lab machine.'
}

# sudo drops these.
proxies=()
for name in http_proxy https_proxy no_proxy; do [ -z "${!name:-}" ] || proxies+=("$name=${!name}"); done

# command=package: what the lab needs on this machine.
install_packages() {
  local missing=() need schema=/usr/share/libvirt/schemas/domainoverrides.rng
  for need in "$@" mmdebstrap=mmdebstrap qemu-system-x86_64=qemu-system-x86 modprobe=kmod cpio=cpio xz=xz-utils mke2fs=e2fsprogs flock=util-linux mount=mount gpg=gpg busybox=busybox-static; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${need%%=*}" > /dev/null || missing+=("${need#*=}")
  done
  [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
  if [ "$(id -u)" != 0 ] && ! command -v newuidmap > /dev/null; then missing+=(uidmap); fi
  [ -e "$schema" ] || missing+=(libvirt0)
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get > /dev/null || stop "needs ${missing[*]}, and knows only apt-get to install them."
  say "installing ${missing[*]}"
  as_root env "${proxies[@]}" apt-get update -qq > /dev/null || say 'apt-get update had complaints; going on'
  as_root env "${proxies[@]}" DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null ||
    stop "could not install ${missing[*]}. To see why: apt-get install ${missing[*]}"
  # libvirt's RelaxNG schemas moved from libvirt0 to libvirt-common with Debian 13.
  [ -e "$schema" ] || as_root env "${proxies[@]}" DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libvirt-common > /dev/null ||
    stop "libvirt's schemas are in neither libvirt0 nor libvirt-common: $schema"
}

# Whether the lab machine can be built here, where there is none yet.
check_builder() {
  local cache=${LIBVIRT_VOLUME_LAB_CACHE:-$HOME/.cache/libvirt-volume-drivers/lab}
  if compgen -G "$cache/*/root.img" > /dev/null || [ "${LIBVIRT_VOLUME_LAB:-}" = skip ]; then return 0; fi
  { mkdir -p "$cache" && bash lab/image/builder.sh "$cache"; } || stop 'the lab machine cannot be built here. LIBVIRT_VOLUME_LAB=skip npm test does without it.'
}

install_node_modules() {
  local stamp=node_modules/.package-lock.json
  if [ -f "$stamp" ] && [ ! package-lock.json -nt "$stamp" ]; then return 0; fi
  say 'installing node_modules (npm ci)'
  npm ci --no-audit --no-fund --loglevel=error >&2 || stop 'npm ci failed; its words stand above.'
  touch "$stamp"
}

check_machine
check_node
install_packages "$@"
check_builder
install_node_modules
