#!/bin/bash
# Runs scenarios in the lab machine. Usage: lab.sh [--list | --shell | --demo | --build] [--release N | --releases N,N] [--tally FILE] [SCENARIO...]
# Without a scenario, all of the release. LIBVIRT_VOLUME_LAB_RELEASE names the release as well. With several releases, one run does all of them.
set -euo pipefail
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/.."
. scripts/able-node.sh
bash scripts/setup.sh
LIBVIRT_VOLUME_LAB_NODE=$(node scripts/nodes.js lab 2> /dev/null) # setup.sh has said which and why
export LIBVIRT_VOLUME_LAB_NODE
# One run at a time: two would only slow each other, and share .lab/.
mkdir -p .lab
exec 9> .lab/lock
if ! flock --nonblock 9; then
  echo 'Another run of the lab is going on in this checkout; waiting for its end (at most 20 minutes).' >&2
  flock --wait 1200 9 || { echo 'It is still going on. Giving up.' >&2; exit 1; }
fi
# Types are checked by `npm run check`; here they are only taken out, so that half-done work can be tried.
node scripts/bundle.js build/lab/host lab/host/main.ts lab/host/close.ts
node scripts/bundle.js build/lab/machine src/cli/main.ts src/host/node/blocking-worker.ts lab/machine/{run-scenarios,reporter,shell-target,driver-process}.ts lab/scenarios/*.ts
# One build of the machine at a time, whichever checkout asks: they share the folder that it is kept in.
if [[ " $* " != *' --list '* ]]; then
  cache=${LIBVIRT_VOLUME_LAB_CACHE:-$HOME/.cache/libvirt-volume-drivers/lab}
  mkdir -p "$cache"
  flock "$cache/lock" node build/lab/host/main.js --build "$@"
fi
exec node build/lab/host/main.js "$@"
