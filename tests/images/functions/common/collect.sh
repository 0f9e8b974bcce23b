#!/bin/sh
# Copies programs and the libraries that they are linked with to FOLDER, under their own paths.
# usage: collect.sh FOLDER FILE...
set -eu
folder=$1
shift
mkdir -p "$folder"
for file; do
  cp --dereference --parents "$file" "$folder"
  ldd "$file" | awk '$3 ~ /^\// { print $3 }'
done | sort -u | while read -r library; do
  # Debian's /lib is a link to /usr/lib: the real path is the one to copy to.
  cp --dereference --parents "$(realpath "$(dirname "$library")")/$(basename "$library")" "$folder"
done
