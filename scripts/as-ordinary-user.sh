#!/bin/bash
# Builds the lab machine and runs scenarios as an ordinary user: one made for it and removed afterwards, without sudo, with a closed home and blanks in its paths.
# Usage, as root: as-ordinary-user.sh TALLY-FILE WORD-FOR-lab.sh... The cache gets the images that were built where it lacks them.
set -euo pipefail
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/.."
tally=$(realpath "$1")
shift
cache=${LIBVIRT_VOLUME_LAB_CACHE:-$HOME/.cache/libvirt-volume-drivers/lab}
prefix=lab-user-
user=$prefix$$

# Ends what the user runs, in its namespaces too, whose processes have the ids of /etc/subuid. Usage: remove_user USER
remove_user() {
  local uid first count pid owner
  uid=$(id -u "$1")
  IFS=: read -r _ first count < <(grep "^$1:" /etc/subuid || echo "$1:0:0")
  for pid in /proc/[0-9]*; do
    owner=$(stat -c %u "$pid" 2> /dev/null) || continue
    if [ "$owner" = "$uid" ] || { [ "$owner" -ge "$first" ] && [ "$owner" -lt $((first + count)) ]; }; then kill -KILL "${pid#/proc/}" 2> /dev/null || true; fi
  done
  sleep 0.2
  userdel --force --remove "$1" 2> /dev/null || true
}

# Those of runs that were killed.
for left in $(getent passwd | sed -n "s/^\(${prefix}[0-9]*\):.*/\1/p"); do kill -0 "${left#"$prefix"}" 2> /dev/null || remove_user "$left"; done

files=
trap 'remove_user "$user"; [ ! "$files" ] || rm -rf "$files"' EXIT
trap 'exit 130' INT TERM
useradd --create-home --shell /bin/bash "$user"
grep -q "^$user:" /etc/subuid || usermod --add-subuids 1000000-1065535 --add-subgids 1000000-1065535 "$user"
home=$(getent passwd "$user" | cut -d: -f6)
checkout="$home/a checkout, copied"
mkdir "$checkout"
# Other stages make and remove folders meanwhile, which tar tells by its exit status 1.
{ tar --warning=no-file-changed --exclude=./.git --exclude=./.lab --exclude=./build --exclude=./dist --exclude=./coverage -cf - . || [ $? = 1 ]; } | tar -C "$checkout" -xf -
cp "$(node scripts/nodes.js lab)" "$home/lab-node"
chown -R "$user:" "$home"
chmod 700 "$home"
# Processes in the user's namespace have other ids, to which its home is closed.
files=$(mktemp -d "${TMPDIR:-/var/tmp}/lab user, XXXXXX")
chown "$user:" "$files"
chmod 755 "$files"

as_user() {
  local kept=() name
  for name in http_proxy https_proxy no_proxy CI LIBVIRT_VOLUME_LAB_MIRROR LIBVIRT_VOLUME_LAB_ACCEL LIBVIRT_VOLUME_LAB_VERBOSE; do [ -z "${!name:-}" ] || kept+=("$name=${!name}"); done
  setpriv --reuid="$user" --regid="$user" --init-groups --reset-env env "${kept[@]}" PATH="$path" TMPDIR="$files" LIBVIRT_VOLUME_LAB_NODE="$home/lab-node" "$@"
}

# Those of an ordinary user have no sbin.
path=$(tr : '\n' <<< "$PATH" | grep -v sbin | paste -sd:)
mkdir -p "$home/node/bin"
if ! (cd / && as_user node --version) > /dev/null 2>&1; then
  echo "An ordinary user cannot run $(command -v node): taking a copy" >&2
  cp "$(node -p process.execPath)" "$home/node/bin/node"
fi
path=$home/node/bin:$path
if ! (cd / && as_user npm --version) > /dev/null 2>&1; then
  echo "An ordinary user cannot run $(command -v npm): taking a copy" >&2
  cp -R "$(dirname "$(dirname "$(realpath "$(command -v npm)")")")" "$home/node/npm"
  ln -s ../npm/bin/npm-cli.js "$home/node/bin/npm"
fi
chown -R "$user:" "$home/node"

status=0
# In the background, as bash hears no signal while it waits for what is not.
(cd "$checkout" && as_user npm run --silent lab -- --tally "$home/tally.json" "$@") & wait "$!" || status=$?
[ ! -f "$home/tally.json" ] || cp "$home/tally.json" "$tally"
mkdir -p "$cache"
for image in "$home"/.cache/libvirt-volume-drivers/lab/*/root.img; do
  folder=$(dirname "$image")
  name=$(basename "$folder")
  if [ ! -f "$image" ] || [ -e "$cache/$name" ]; then continue; fi
  chown -R "$(id -u):$(id -g)" "$folder"
  mv -T "$folder" "$cache/arriving-$$"
  mv -T "$cache/arriving-$$" "$cache/$name" || rm -rf "$cache/arriving-$$"
  # Those of the same release and another time.
  find "$cache" -mindepth 1 -maxdepth 1 -regex ".*/${name%-*}-[0-9a-f]+" ! -name "$name" -exec rm -rf {} +
done
exit "$status"
