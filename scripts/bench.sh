#!/usr/bin/env bash
# Measures bin/dialtone beside the peers that are installed, the server on core 0
# and the load on core 1. Arguments go to the program; -h lists them.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v taskset >/dev/null || { echo "bench: taskset (package util-linux) is missing" >&2; exit 1; }
go build -o bin/bench ./cmd/dialtone-bench
exec bin/bench "$@"
