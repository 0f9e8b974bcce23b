#!/bin/sh
# Installs the Debian packages of the named groups of packaging/dependencies.txt.
# usage: install-dependencies.sh [--print] GROUP...      (groups: build run demo test package study)
set -eu
list=$(dirname "$0")/dependencies.txt
print=false
[ "${1:-}" = --print ] && { print=true; shift; }
[ $# -gt 0 ] || { echo "usage: $0 [--print] GROUP... (build run demo test package study)" >&2; exit 2; }
wanted=
for group in "$@"; do
  packages=$(awk -v g="$group" '$1 == g { print $2 }' "$list")
  [ -n "$packages" ] || { echo "install-dependencies: no group '$group' in $list" >&2; exit 2; }
  wanted="$wanted $packages"
done
if $print; then printf '%s\n' $wanted; exit 0; fi
missing=
for package in $wanted; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
[ "$(id -u)" = 0 ] || { echo "install-dependencies: must be root to install:$missing" >&2; exit 1; }
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# A package's service must not start by itself: tests and the quickstart run their own private ones.
policy=/usr/sbin/policy-rc.d
made=false
if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' > $policy; chmod +x $policy; made=true; fi
trap 'if $made; then rm -f $policy; fi' EXIT
apt-get update -qq
apt-get install -y -qq --no-install-recommends $missing >/dev/null
