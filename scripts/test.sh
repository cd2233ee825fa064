#!/bin/bash
# Everything that must hold: types, lint, unit tests, and every scenario of the lab. Goes through all of them whatever fails, and closes
# with one line: N passed, N failed, N skipped. LIBVIRT_VOLUME_LAB=skip leaves the lab out (not on CI) and counts its scenarios as skipped.
set -uo pipefail
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/.." || exit 1
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
failed=0 skipped=0

stage() {
  local name=$1 begin=$SECONDS
  shift
  echo "== $name" >&2
  if "$@"; then echo "== $name: done in $((SECONDS - begin)) s" >&2
  else echo "== $name: FAILED after $((SECONDS - begin)) s" >&2; return 1
  fi
}

# The lab's machine is built beside the first stages. Whether that works shows when the lab starts, which waits for it and tells its words.
build_machine() {
  [ "${LIBVIRT_VOLUME_LAB:-}" = skip ] || bash scripts/lab.sh --build > "$results/build.log" 2>&1 &
}

lab() {
  if [ "${LIBVIRT_VOLUME_LAB:-}" != skip ]; then
    stage lab bash scripts/lab.sh --tally "$results/lab.json"
    # A lab that could not start has counted nothing.
    [ -f "$results/lab.json" ] || failed=$((failed + 1))
  elif [ "${CI:-}" = true ]; then
    echo '== lab: FAILED: LIBVIRT_VOLUME_LAB=skip is refused on CI' >&2
    failed=$((failed + 1))
  else
    skipped=$(find lab/scenarios -name '*.ts' | wc -l)
    echo "== lab: SKIPPED, $skipped scenarios, because LIBVIRT_VOLUME_LAB=skip. Nothing was tried on a real kernel." >&2
  fi
}

if ! stage setup bash scripts/setup.sh; then
  echo '0 passed, 1 failed, 0 skipped'
  exit 1
fi
build_machine
stage types npm run --silent types > "$results/types.log" 2>&1 & types=$!
stage lint npm run --silent lint || failed=$((failed + 1))
wait "$types" || failed=$((failed + 1))
cat "$results/types.log" >&2
wait # some unit tests take times, which a machine under construction would spoil
stage unit npm run --silent unit -- --coverage --json --outputFile="$results/jest.json"
[ -f "$results/jest.json" ] || failed=$((failed + 1))
lab

echo >&2
if node scripts/bundle.js build/lab/host lab/host/close.ts; then node build/lab/host/close.js "$results" "$failed" "$skipped"
else echo "0 passed, $((failed + 1)) failed, $skipped skipped"; exit 1
fi
