# shellcheck shell=bash
# The mirror's block in hosts.toml files (certs.d/HOST/hosts.toml), above the tables that a file of the user's has already:
# the first host is asked first. The block stands between two lines by which it is found again.

block_begin='# paceline install: begin'
block_end='# paceline install: end'

has_block() { [ -e "$1" ] && grep -q "^$block_begin" "$1"; }

# with_block FILE BLOCK: FILE may be absent, and may have a block already.
with_block() {
  if [ ! -e "$1" ]; then
    printf '%s\n%s\n%s\n' "$block_begin" "$2" "$block_end"
  elif has_block "$1"; then
    awk -v block="$2" -v begin="$block_begin" -v end="$block_end" '
      index($0, begin) == 1 { print; print block; skip = 1 } index($0, end) == 1 { skip = 0 } !skip' "$1"
  else
    awk -v block="$block_begin"$'\n'"$2"$'\n'"$block_end" '
      /^[ \t]*\[/ && !done { print block; done = 1 }
      { print }
      END { if (!done) print block }' "$1"
  fi
}

# without_block FILE
without_block() {
  awk -v begin="$block_begin" -v end="$block_end" '
    index($0, begin) == 1 { skip = 1 } !skip; index($0, end) == 1 { skip = 0 }' "$1"
}

# hosts_files FOLDER...: those of single registries, which containerd reads instead of _default's.
hosts_files() {
  local folder file
  for folder; do
    for file in "$folder"/*/hosts.toml; do
      case $file in */_default/hosts.toml) ;; *) [ ! -e "$file" ] || echo "$file" ;; esac
    done
  done
}

# certificate_folders FOLDER...: registries whose folder has certificates as Docker lays them, and no hosts.toml: one with
# the mirror in it would hide them from containerd.
certificate_folders() {
  local folder registry
  for folder; do
    for registry in "$folder"/*/; do
      case $registry in */_default/) continue ;; esac
      [ ! -d "$registry" ] || [ -e "${registry}hosts.toml" ] || basename "$registry"
    done
  done
}
