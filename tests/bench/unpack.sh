#!/bin/sh
# Unpacking the layers of an image, two at once, on one file system: our engine against `igzip -d | tar -x`.
# usage: unpack.sh [BUILD_DIR [CSV]]     (default: build/release docs/results/unpack-engine.csv)
# PARTS: what the layers are made of, a layer each: folders below / with commas between.
# LAYERS: ready layers (*.tar.gz), bottom first; default: made once from this machine's packages, below WORK.
# WORK (/var/tmp/paceline-unpack): where layers are made and unpacked; its file system is what is measured. REPS (5).
# SYSTEMS ("engine engine-1 floor"): engine-1 has no helper threads. PREFIX: a command each run is started with.
set -eu

# igzip and tar a layer, two layers at once, each as soon as another is done; a run of this script by itself.
if [ "${1:-}" = --floor ]; then
  # shellcheck disable=SC2016  # sh -c expands them.
  printf '%s\n' $LAYERS | nl -v 0 -w 1 -s ' ' | xargs -P 2 -L 1 sh -c \
    'mkdir -p "$0/$1" && igzip -d -c "$2" | tar -C "$0/$1" -x --numeric-owner --same-permissions -f -' "$2"
  exit
fi

here=$(cd "$(dirname "$0")" && pwd)
build=${1:-$here/../../build/release}
csv=${2:-$here/../../docs/results/unpack-engine.csv}
work=${WORK:-/var/tmp/paceline-unpack}
reps=${REPS:-5}
systems=${SYSTEMS:-engine engine-1 floor}
prefix=${PREFIX:-}
mkdir -p "$work" "$(dirname "$csv")"

# Six layers of what Debian packages have installed: together above 600 MB compressed and 80 000 files.
make_layers() {
  mkdir -p "$work/layers"
  number=0
  for parts in ${PARTS:-usr/bin usr/lib/python3 usr/share/doc,usr/share/man usr/include usr/share/gocode \
    usr/lib/gcc,usr/share/perl,usr/share/locale}; do
    layer=$work/layers/$number.tar.gz
    if [ ! -e "$layer" ]; then
      # shellcheck disable=SC2046  # The parts are words.
      tar -C / --numeric-owner --sort=name -cf - $(echo "$parts" | tr , ' ') | igzip -2 -c > "$layer.part"
      mv "$layer.part" "$layer"
    fi
    number=$((number + 1))
  done
}
if [ -z "${LAYERS:-}" ]; then
  make_layers
  LAYERS=$(ls "$work"/layers/*.tar.gz)
fi

# Prints "seconds cpu_seconds peak_rss_kib" of a command; the peak is its largest process's.
measure() {
  python3 - "$@" << 'PYTHON'
import resource, subprocess, sys, time
start = time.monotonic()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
seconds = time.monotonic() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"{seconds:.3f},{used.ru_utime + used.ru_stime:.3f},{used.ru_maxrss}")
PYTHON
}

[ -e "$csv" ] || echo fs,system,rep,seconds,cpu_seconds,peak_rss_kib > "$csv"
fs=$(stat -f -c %T "$work")
rep=1
while [ "$rep" -le "$reps" ]; do
  for system in $systems; do
    out=$work/out
    rm -rf "$out"
    sync -f "$work"  # What earlier runs left dirty is not this one's to write.
    # shellcheck disable=SC2086  # PREFIX and LAYERS are words.
    case $system in
      engine) line=$(measure $prefix "$build/bin/unpack_bench" --jobs 2 --cores 2 "$out" $LAYERS) ;;
      engine-1) line=$(measure $prefix "$build/bin/unpack_bench" --jobs 2 --cores 0 "$out" $LAYERS) ;;
      floor) line=$(LAYERS=$LAYERS measure $prefix "$0" --floor "$out") ;;
    esac
    echo "$fs,$system,$rep,$line" | tee -a "$csv"
  done
  rep=$((rep + 1))
done
rm -rf "$work/out"
