#!/usr/bin/env bash
# Measures bin/dialtone beside the peers that are installed, the server on core 0
# and the load on core 1. Arguments go to the program; -h lists them.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v taskset >/dev/null || { echo "bench: taskset (package util-linux) is missing" >&2; exit 1; }
go build -o bin/bench ./cmd/dialtone-bench
bin/bench "$@"
# The list of 100 000 phones, in the process: what the API answers from.
[ $# -gt 0 ] || exec taskset -c 0 go test ./internal/roster -run '^$' -bench City -benchtime 1000x
