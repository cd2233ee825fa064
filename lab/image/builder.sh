#!/bin/bash
# Who builds the lab machine and where, tried out before anything is built. Usage: builder.sh, which only looks; build.sh sources it.
# As root mmdebstrap works in a chroot. Anyone else builds in a user namespace, and through sudo where the kernel refuses that.
# A process in the namespace has other ids than its user: it enters no folder that is closed to others, such as a home.

# Kilobytes: Debian's packages and their system while they are unpacked, and the images.
BUILD_ROOM=2500000
PATH=$PATH:/usr/sbin:/sbin

builder_says() { echo "lab machine: $*" >&2; }

# Sets builder to root, namespace or sudo, and inside to the words before a command that shall run as that builder does.
choose_builder() {
  local why
  if [ "$(id -u)" = 0 ]; then
    builder=root inside=(unshare --mount)
    why=$("${inside[@]}" true 2>&1) || { builder_says "root may not mount here ($why), which building needs. Run this outside of a container, or in one with CAP_SYS_ADMIN."; return 1; }
  elif why=$(mmdebstrap --unshare-helper true 2>&1); then
    builder=namespace inside=(mmdebstrap --unshare-helper)
  else
    why=$(namespace_fault "$why")
    if ! command -v sudo > /dev/null || ! { sudo -n true 2> /dev/null || [ -t 2 ]; }; then
      builder_says "$why Root could build it too, but there is no sudo that works without a question."
      return 1
    fi
    builder_says "$why Until then it is built as root, through sudo."
    builder=sudo inside=("${as_root[@]}" unshare --mount)
    sudo -n true 2> /dev/null || sudo -v || return 1
  fi
}

# With what sudo would drop.
as_root=(sudo env "PATH=$PATH")
for name in http_proxy https_proxy no_proxy; do [ -z "${!name:-}" ] || as_root+=("$name=${!name}"); done

# Why this user gets no namespace, and the command that mends it. Usage: namespace_fault WORDS-OF-MMDEBSTRAP
namespace_fault() {
  local user file next
  user=$(id -un)
  setting() { [ "$(cat "${PROC:-/proc}/sys/$1" 2> /dev/null)" = "$2" ]; }
  if ! command -v newuidmap > /dev/null; then
    echo 'A user namespace needs newuidmap: sudo apt-get install uidmap.'
    return
  fi
  for file in "${ETC:-/etc}/subuid" "${ETC:-/etc}/subgid"; do
    if ! grep -qsE "^($user|$(id -u)):" "$file"; then
      next=$(cat "${ETC:-/etc}"/sub[ug]id 2> /dev/null | awk -F: 'BEGIN { n = 100000 } $2 + $3 > n { n = $2 + $3 } END { print n }')
      echo "There is no line for $user in $file: sudo usermod --add-subuids $next-$((next + 65535)) --add-subgids $next-$((next + 65535)) $user."
      return
    fi
  done
  if setting user/max_user_namespaces 0; then echo 'This kernel makes no user namespaces: sudo sysctl -w user.max_user_namespaces=15000.'
  elif setting kernel/unprivileged_userns_clone 0; then echo 'This kernel makes user namespaces for root alone: sudo sysctl -w kernel.unprivileged_userns_clone=1.'
  elif setting kernel/apparmor_restrict_unprivileged_userns 1; then echo 'AppArmor lets no one but root use user namespaces: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0.'
  else echo "This user gets no user namespace: $(grep -m 1 '^E: ' <<< "$1" || echo "$1")."
  fi
}

# Makes a folder in which the builder can write and run programs and that has room, sets work to its path, and adds why to faults where one cannot be used.
# Usage: work_folder_in FOLDER
work_folder_in() {
  local room why
  if ! work=$(mktemp -d "$(realpath "$1")/lab-machine.XXXXXX" 2>&1); then faults+=("$work"); return 1; fi
  chmod 777 "$work"
  room=$(df --output=avail -k "$work" | tail -n 1)
  # shellcheck disable=SC2016 # for that shell
  if ! why=$("${inside[@]}" sh -c 'cp /bin/true "$1/probe" && "$1/probe" && mount --bind "$1" "$1"' sh "$work" 2>&1); then
    faults+=("$1: the builder ($builder) cannot write, run programs and mount there ($(head -n 1 <<< "$why"))")
  elif [ "$room" -lt "$BUILD_ROOM" ]; then
    faults+=("$1: $((room / 1000)) MB are free there, and building takes $((BUILD_ROOM / 1000))")
  else
    rm -f "$work/probe"
    return 0
  fi
  rm -rf "$work"
  return 1
}

# Usage: choose_work_folder FOLDER...; without one that can be used it says what is wrong with each.
choose_work_folder() {
  local folder faults=()
  for folder in "$@"; do
    if work_folder_in "$folder"; then
      [ "$folder" = "$1" ] || [ -z "${TMPDIR:-}" ] || builder_says "TMPDIR cannot be used. ${faults[0]}. Building in $folder."
      return 0
    fi
  done
  builder_says "there is no place to build. TMPDIR can name one."
  printf '  %s\n' "${faults[@]}" >&2
  return 1
}

# Usage: ready_to_build CACHE
ready_to_build() {
  choose_builder && choose_work_folder ${TMPDIR:+"$TMPDIR"} "$1" /var/tmp /tmp
}

remove_work_folder() {
  [ "$builder" = root ] || "${inside[@]}" find "$work" -mindepth 1 -delete || true
  rm -rf "$work"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  set -euo pipefail
  ready_to_build "${1:?}"
  remove_work_folder
fi
