#!/bin/sh
# Puts other Debian releases' containerd beside this machine's own: prints "<suite> <bin directory>" a line.
# usage: debs.sh CACHE_DIR SUITE...
#
# Each suite has apt lists, state and cache of its own under CACHE_DIR, so the machine's apt never sees it. The source is
# this machine's own first Debian source with the suite's name put in; the packages are only unpacked, not installed.
# Quick when cached: delete CACHE_DIR/SUITE to fetch a newer version.
set -eu
cache=$1
shift
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)

# The first archive this machine's apt reads Debian's main component from.
debian_archive() {
  apt-get indextargets --format '$(CREATED_BY)|$(COMPONENT)|$(LABEL)|$(REPO_URI)' |
    awk -F'|' '$1 == "Packages" && $2 == "main" && $3 == "Debian" { print $4; exit }'
}

# The keyring that the machine's sources name for that archive; Debian's own if they name none.
keyring() {
  named=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    awk -v uri="${1%/}" 'BEGIN { RS = "" } index($0, uri) && match($0, /[Ss]igned-[Bb]y[:=] *\/[^] \n]*/) {
      print substr($0, RSTART, RLENGTH); exit }' | sed 's/^[^/]*//')
  echo "${named:-/usr/share/keyrings/debian-archive-keyring.gpg}"
}

unpack() {
  suite=$1
  dir=$cache/$suite
  rm -rf "$dir"
  mkdir -p "$dir/state/lists/partial" "$dir/archives/partial" "$dir/etc" "$dir/root"
  archive=$(debian_archive)
  [ -n "$archive" ] || { echo "debs.sh: apt knows no Debian archive here; run apt-get update" >&2; exit 1; }
  echo "deb [signed-by=$(keyring "$archive")] $archive $suite main" > "$dir/etc/sources.list"
  set -- -qq -o Dir::Etc::sourcelist="$dir/etc/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferences=/dev/null \
    -o Dir::Etc::preferencesparts=/dev/null -o Dir::State="$dir/state" -o Dir::State::status=/dev/null \
    -o Dir::Cache="$dir" -o Acquire::Languages=none -o APT::Sandbox::User=root
  apt-get "$@" update >&2
  (cd "$dir" && apt-get "$@" download containerd >&2)
  dpkg-deb -x "$dir"/containerd_*.deb "$dir/root"
  touch "$dir/done"
  rm -rf "$dir/state" "$dir/archives" "$dir"/*.bin
}

for suite; do
  [ -e "$cache/$suite/done" ] || unpack "$suite"
  echo "$suite $cache/$suite/root/usr/bin"
done
