#!/bin/bash
# Shows the whole way of a volume, from a storage target into a running guest and back, over TCP and over iSER, on a real kernel.
set -euo pipefail
exec bash "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/lab.sh" --demo
