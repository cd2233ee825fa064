#!/bin/bash
# Everything that must hold: types, lint, unit tests on each Node.js that is supported, and every scenario of the lab. Goes through all of them whatever fails, and closes
# with one line: N passed, N failed, N skipped. LIBVIRT_VOLUME_LAB=skip leaves the lab out (not on CI) and counts its scenarios as skipped.
set -uo pipefail
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/.." || exit 1
. scripts/able-node.sh
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
trap end_all INT TERM
failed=0 skipped=0

# Usage: stage NAME COMMAND...
stage() {
  local name=$1 begin=$SECONDS outcome=passed
  shift
  echo "== $name" >&2
  "$@" || outcome=FAILED
  echo "== $name: $outcome after $((SECONDS - begin)) s" >&2
  echo "$((SECONDS - begin)) $outcome $name" >> "$results/stages"
  [ "$outcome" = passed ]
}

# The same beside others; what it has to say comes when it is waited for. Usage: beside NAME COMMAND...
declare -A jobs
beside() {
  set -m # a process group of its own, so that it can be ended with all that it runs
  stage "$@" < /dev/null > "$results/$1.log" 2>&1 & jobs[$1]=$!
  set +m
}

# Usage: wait_for NAME
wait_for() {
  local status=0
  wait "${jobs[$1]}" || status=$?
  cat "$results/$1.log" >&2
  return "$status"
}

# What runs beside gets a minute to clean up.
end_all() {
  local groups group tries=600
  groups=$(jobs -p)
  for group in $groups; do kill -- "-$group" 2> /dev/null; done
  for group in $groups; do
    while kill -0 -- "-$group" 2> /dev/null && [ $((tries -= 1)) -gt 0 ]; do sleep 0.1; done
  done
  exit 130
}

count_failure() { failed=$((failed + 1)); }

# Unit tests on another Node. One of them packs the project and runs the command that comes out, another compiles services against it. Usage: unit_on MAJOR
unit_on() {
  local node
  node=$(node scripts/nodes.js path "$1") || return 1
  PATH=$(dirname "$node"):$PATH npm run --silent unit -- --json --outputFile="$results/jest-$1.json"
}

# A stage of unit tests; one that could not begin has counted nothing. Usage: unit NAME RESULT COMMAND...
unit() {
  stage "$1" "${@:3}"
  [ -f "$results/$2.json" ] || count_failure
}

# Whether building works shows when the lab starts, which builds what is not there. Usage: build_machines RELEASES
build_machines() {
  bash scripts/lab.sh --build --releases "$1"
}

# On the newest Node, which asks multipathd in another way than the oldest does.
run_as_user() {
  LIBVIRT_VOLUME_LAB_NODE=$newest bash scripts/as-ordinary-user.sh "$results/lab-user.json" lab-itself process-counts
}

lab() {
  stage lab bash scripts/lab.sh --releases "$releases" --tally "$results/lab.json"
  [ -f "$results/lab.json" ] || count_failure
}

skip_lab() {
  if [ "${CI:-}" = true ]; then
    echo '== lab: FAILED: LIBVIRT_VOLUME_LAB=skip is refused on CI' >&2
    count_failure
  else
    skipped=$(find lab/scenarios -name '*.ts' | wc -l)
    echo "== lab: SKIPPED, $skipped scenarios, because LIBVIRT_VOLUME_LAB=skip. Nothing was tried on a real kernel." >&2
  fi
}

close() {
  echo >&2
  if node scripts/bundle.js build/lab/host lab/host/close.ts; then node build/lab/host/close.js "$results" "$failed" "$skipped"
  else echo "0 passed, $((failed + 1)) failed, $skipped skipped"; exit 1
  fi
}

stage setup bash scripts/setup.sh shellcheck=shellcheck newuidmap=uidmap || { echo '0 passed, 1 failed, 0 skipped'; exit 1; }
with_lab=1; [ "${LIBVIRT_VOLUME_LAB:-}" != skip ] || with_lab=
as_user=; [ "$(id -u)" != 0 ] || as_user=1
releases=$(sed -nE 's/^([0-9]+) .*/\1/p' lab/image/releases.txt | paste -sd,)
others=$(node scripts/nodes.js others)
newest=${others##* }
# As root, the machine of one release is built by an ordinary user, who runs scenarios in it, and the others as root. Anyone else is an ordinary user already.
if [ "$with_lab" ] && [ "$as_user" ]; then
  beside user run_as_user
  beside build build_machines "${releases#*,}"
elif [ "$with_lab" ]; then
  beside build build_machines "$releases"
fi
beside types npm run --silent types
stage lint npm run --silent lint || count_failure
stage shellcheck shellcheck --external-sources scripts/*.sh lab/image/*.sh .ci/run || count_failure
wait_for types || count_failure
for major in $others; do unit "unit on Node $major" "jest-$major" unit_on "$major"; done
if [ "$with_lab" ]; then
  wait_for build
  if [ "$as_user" ]; then wait_for user; [ -f "$results/lab-user.json" ] || count_failure; fi
fi
# Coverage makes the tests slower, some of which take times: they have the machine to themselves.
unit unit jest npm run --silent unit -- --coverage --json --outputFile="$results/jest.json"
if [ "$with_lab" ]; then lab; else skip_lab; fi
close
