#!/bin/sh
# MB/s of Read and Write, the same client, blobs and run for all: our content service, containerd's own on its socket, and
# the file read directly.
# usage: content.sh [BUILD_DIR [CSV]]     (default: build/release docs/results/content.csv)
# PACELINE_SERVER: our server's command (see tests/conformance/run.sh). REPS (5), BLOB_MIB (128).
# The systems take turns within every repetition, so that the machine's other load hits all alike.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-$here/../../build/release}
csv=${2:-$here/../../docs/results/content.csv}
reps=${REPS:-5}
blob_mib=${BLOB_MIB:-128}
work=$(mktemp -d)
pids=
cleanup() {
  for pid in $pids; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# Neither mirror nor metrics: their ports may be taken by a daemon of the machine's.
printf 'version = 1\n[mirror]\nenabled = false\n[metrics]\nenabled = false\n' > "$work/config.toml"
: "${PACELINE_SERVER:=$build/bin/pacelined --config $work/config.toml}"

wait_for_socket() {
  tries=0
  while [ ! -S "$1" ]; do
    tries=$((tries + 1))
    if [ $tries -gt 200 ]; then
      cat "$2" >&2
      echo "content.sh: no socket $1" >&2
      exit 1
    fi
    sleep 0.1
  done
}

$PACELINE_SERVER --root "$work/paceline" --address "$work/paceline.sock" > "$work/paceline.log" 2>&1 &
pids="$pids $!"

# A containerd of its own: nothing of the machine's is touched. Only its content store is of interest.
cat > "$work/containerd.toml" <<CONFIG
version = 2
root = "$work/containerd/root"
state = "$work/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "$work/containerd.sock"
[ttrpc]
  address = "$work/containerd.ttrpc"
CONFIG
containerd --config "$work/containerd.toml" --log-level warn > "$work/containerd.log" 2>&1 &
pids="$pids $!"
version=$(containerd --version | sed -n 's/.* v\{0,1\}\([0-9][0-9.]*\).*/\1/p')
wait_for_socket "$work/paceline.sock" "$work/paceline.log"
wait_for_socket "$work/containerd.sock" "$work/containerd.log"

bench() { "$build/bin/content_bench" --blob-mib "$blob_mib" --rep "$rep" "$@"; }
rep=0  # Not recorded: makes the blob to read, and warms caches.
bench --system paceline --address "$work/paceline.sock" --read 1048576 > /dev/null
bench --system containerd --address "$work/containerd.sock" --namespace bench --read 1048576 > /dev/null
file=$(find "$work/paceline" -path '*blobs/sha256/*' -type f -size +"$((blob_mib - 1))M" | head -n 1)

{
  echo "system,operation,message_bytes,rep,mib_per_s"
  while [ "$rep" -lt "$reps" ]; do
    rep=$((rep + 1))
    bench --system direct --file "$file" --read 32768 1048576
    bench --system paceline --address "$work/paceline.sock" --read 32768 1048576 --write 1048576
    bench --system "containerd-$version" --address "$work/containerd.sock" --namespace bench \
      --read 32768 1048576 --write 1048576
  done
} > "$work/result.csv"
mkdir -p "$(dirname "$csv")"
cp "$work/result.csv" "$csv"

# Medians, for the reader of the terminal.
sort -t, -k2,2 -k3,3n -k1,1 -k5,5n "$csv" | awk -F, '
  function show() { printf "%-6s %8d B  %-20s %10.1f MiB/s\n", operation, bytes, name, values[int((n + 1) / 2)]; n = 0 }
  $1 == "system" { next }
  n && ($1 != name || $2 != operation || $3 != bytes) { show() }
  { name = $1; operation = $2; bytes = $3; values[++n] = $5 }
  END { show() }'
