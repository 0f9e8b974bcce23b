#!/bin/bash
# clang-tidy over our own sources, with the compile commands of BUILD_DIR.
#
# usage: lint.sh BUILD_DIR [SECONDS]
# A file that passed, with the same text and the same headers of ours, is not looked at again (stamps in build/tidy). From scratch that is minutes: after SECONDS (360) no further file is begun; the files begin with those
# changed last, so what was edited is always looked at, and the last line says what was left over.
set -u
cd "$(dirname "$0")/.."
build=$1 budget=${2:-360}
mkdir -p build/tidy
export build

examine() {
  local stamp=build/tidy/$2
  if clang-tidy --quiet -p "$build" "$1" > "$stamp.log" 2> /dev/null; then
    rm -f "$stamp.log"
    touch "$stamp"
  else
    cat "$stamp.log"
    echo "clang-tidy: $1"
    rm -f "$stamp.log"
    touch build/tidy/failed
  fi
}
export -f examine

# Works for root in somebody else's clone, too.
in_git() { git -c safe.directory="$PWD" "$@" 2> /dev/null; }
sources() { find adaptive plugin tests -name "$1" | sort; }

rm -f build/tidy/failed
headers=$({ cat .clang-tidy; clang-tidy --version; sources '*.h' | xargs cat; } | sha256sum)
known=$(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$build/compile_commands.json" | sort -u)
total=0 cached=0 left=0
# What is not committed, then by the commit that touched it last, then whatever git does not tell of.
order=$({ in_git ls-files -mo --exclude-standard '*.cpp'; in_git log --name-only --format= -- '*.cpp'; sources '*.cpp'; } |
  awk '!seen[$0]++')
for file in $order; do
  [ -f "$file" ] && grep -qxF "$PWD/$file" <<< "$known" || continue
  total=$((total + 1))
  stamp=$({ echo "$headers"; cat "$file"; } | sha256sum | cut -c1-32)
  if [ -e "build/tidy/$stamp" ]; then cached=$((cached + 1)); continue; fi
  if [ "$SECONDS" -ge "$budget" ]; then left=$((left + 1)); continue; fi
  while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
  examine "$file" "$stamp" &
done
wait
echo "clang-tidy: $total files, $((total - cached - left)) looked at, $cached unchanged since they passed, $left left for the next run (${SECONDS} s)"
[ ! -e build/tidy/failed ]
