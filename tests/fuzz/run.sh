#!/bin/bash
# Fuzzes what reads a layer: tar, gzip and zstd framing, and the whole unpack; with AddressSanitizer and UBSan.
#
# usage: run.sh [SECONDS]      of each fuzzer (10). What they learn stays in build/fuzz/corpus; a finding in build/fuzz.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-10}
targets=(tar decoder apply)
cmake --preset fuzz > /dev/null
cmake --build --preset fuzz --target "${targets[@]/#/fuzz_}"
/usr/bin/python3 tests/fuzz/make_corpus.py build/fuzz/corpus
TMPDIR=$(mktemp -d /dev/shm/paceline-fuzz.XXXXXX)  # Thousands of unpacks a second.
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
for target in "${targets[@]}"; do
  echo "== $target, $seconds s"
  build/fuzz/bin/fuzz_"$target" -max_total_time="$seconds" -max_len=65536 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/$target-" build/fuzz/corpus/"$target" 2>&1 | tail -n 12
done
