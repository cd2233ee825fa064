#!/bin/bash
# Runs scenarios in the lab machine. Usage: lab.sh [--list | --shell | --demo | --build] [SCENARIO...]; without a scenario, all of them.
set -euo pipefail
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/.."
bash scripts/setup.sh
# Types are checked by `npm run check`; here the project only has to compile, so that half-done work can be tried.
node node_modules/typescript/bin/tsc -p tsconfig.lab.json --incremental --tsBuildInfoFile build/lab.tsbuildinfo ||
  echo 'The compiler has complaints (above); going on with what it made.' >&2
# One machine at a time: two would only slow each other, and share .lab/.
mkdir -p .lab
exec 9> .lab/lock
if ! flock --nonblock 9; then
  echo 'Another run of the lab is going on in this checkout; waiting for its end (at most 20 minutes).' >&2
  flock --wait 1200 9 || { echo 'It is still going on. Giving up.' >&2; exit 1; }
fi
exec node build/lab/host/main.js "$@"
