#!/bin/bash
# clang-tidy over our own sources, with the compile commands of BUILD_DIR: a unit of the build at a time, which reads gRPC's
# and spdlog's headers once for several sources.
#
# usage: lint.sh BUILD_DIR [SECONDS]
# A unit that passed, with the same text and the same headers of ours, is not looked at again (stamps in build/tidy). From
# scratch that is minutes: after SECONDS (600) no further unit is begun; the units begin with those that hold what was changed
# last, so what was edited is always looked at, and the last line says what was left over.
set -u
cd "$(dirname "$0")/.."
build=$1 budget=${2:-600}
mkdir -p build/tidy
export build

examine() {
  local stamp=build/tidy/$2
  # A unit of several sources includes them: that is no mistake there.
  if clang-tidy --quiet -p "$build" --checks=-bugprone-suspicious-include --header-filter="^$PWD/(adaptive|plugin|tests)/" "$1" \
      > "$stamp.log" 2> /dev/null; then
    touch "$stamp"
  else
    grep -v '^[0-9]* warnings' "$stamp.log"
    echo "clang-tidy: $1"
    touch build/tidy/failed
  fi
  rm -f "$stamp.log"
}
export -f examine

# Works for root in somebody else's clone, too.
in_git() { git -c safe.directory="$PWD" "$@" 2> /dev/null; }
sources() { find adaptive plugin tests -name "$1" | sort; }
# The sources of a unit: the file itself, or what a file made by CMake includes.
sources_of() { case $1 in */Unity/*) sed -n 's/^#include "\(.*\)"$/\1/p' "$1" ;; *) echo "$1" ;; esac; }

rm -f build/tidy/failed
headers=$({ cat .clang-tidy; clang-tidy --version; sources '*.h' | xargs cat; } | sha256sum)
# What is not committed, then by the commit that touched it last, then whatever git does not tell of.
age=$(mktemp)
trap 'rm -f "$age"' EXIT
{ in_git ls-files -mo --exclude-standard '*.cpp'; in_git log --name-only --format= -- '*.cpp'; sources '*.cpp'; } |
  awk -v root="$PWD" '!seen[$0]++ { print root "/" $0, NR }' > "$age"
units=$(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$build/compile_commands.json" | sort -u | while read -r unit; do
  youngest=$(sources_of "$unit" | awk 'NR == FNR { age[$1] = $2; next } $0 in age { print age[$0] }' "$age" - | sort -n | head -n 1)
  [ -n "$youngest" ] && echo "$youngest $unit"  # Generated code is not ours.
done | sort -n | cut -d' ' -f2-)
total=0 cached=0 left=0
for unit in $units; do
  total=$((total + 1))
  stamp=$({ echo "$headers"; echo "$unit"; sources_of "$unit" | xargs cat; } | sha256sum | cut -c1-32)
  if [ -e "build/tidy/$stamp" ]; then cached=$((cached + 1)); continue; fi
  if [ "$SECONDS" -ge "$budget" ]; then left=$((left + 1)); continue; fi
  while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
  examine "$unit" "$stamp" &
done
wait
echo "clang-tidy: $total units, $((total - cached - left)) looked at, $cached unchanged since they passed, $left left for the next run (${SECONDS} s)"
[ ! -e build/tidy/failed ]
