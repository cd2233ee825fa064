#!/bin/bash
# Sourced by the scripts that a person runs: puts a Node.js in front that this project can run on, where the machine's own is too old.
# Without one it changes nothing, and setup.sh says what to do.
if able=$(node scripts/nodes.js able) && [ "$able" != "$(command -v node)" ] && [ "$able" != "$(node -p process.execPath)" ]; then PATH=$(dirname "$able"):$PATH; fi
