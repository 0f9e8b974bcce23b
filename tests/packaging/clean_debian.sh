#!/bin/sh
# Makes a clean Debian 12 with containerd in DIR, from the archives that this machine's apt knows; quick when it is there.
# usage: clean_debian.sh DIR
set -eu
dir=$1
[ ! -e "$dir/done" ] || exit 0
rm -rf "$dir"
mkdir -p "$dir"
# shellcheck disable=SC2016  # apt fills these in.
apt-get indextargets --format '$(LABEL)|$(SIGNED_BY)|$(REPO_URI)|$(RELEASE)' 'Created-By: Packages' 'Component: main' |
  awk -F'|' '$1 ~ /^Debian/ && $4 ~ /^bookworm/ {
    key = $2 ~ /^\// ? $2 : "/usr/share/keyrings/debian-archive-keyring.gpg"
    print "deb [signed-by=" key "] " $3 " " $4 " main" }' > "$dir/sources.list"
[ -s "$dir/sources.list" ] || { echo "clean_debian.sh: apt knows no archive of Debian 12; run apt-get update" >&2; exit 1; }
# systemd is there, as on a node, and does not run: what the package's scripts do then is a part of the test.
mmdebstrap --quiet --variant=apt --include=containerd,systemd bookworm "$dir/root" "$dir/sources.list"
touch "$dir/done"
