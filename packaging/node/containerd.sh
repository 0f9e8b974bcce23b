# shellcheck shell=bash
# What containerd itself says: how it reads a configuration, and whether it is well.

# dump FILE: as containerd reads it, on standard output.
dump() { containerd --config "$1" config dump; }

# compared DUMP: without what may differ: imports, the disabled store, proxy plugins, the list of differs, and CRI's folder of
# hosts.
compared() {
  awk '/^[ \t]*\[/ { ours = /^[ \t]*\[proxy_plugins/ || /io\.containerd\.service\.v1\.diff-service/ } !ours' "$1" |
    sed -E 's/^[ \t]+//; /^$/d; /^imports =/d; /^disabled_plugins =/d; /^config_path =/d'
}

# has_cri DUMP: whether there is a kubelet's side to it.
has_cri() {
  ! grep -qE '^disabled_plugins = .*["'\''](io\.containerd\.)?(grpc\.v1\.cri|cri\.v1\.images)["'\'']' "$1" &&
    grep -qE 'io\.containerd\.(grpc\.v1\.cri|cri\.v1\.images)["'\'']\.registry\]' "$1"
}

# cri_hosts_path DUMP: CRI's config_path, folders with colons between them.
cri_hosts_path() {
  local plugin
  for plugin in io.containerd.cri.v1.images io.containerd.grpc.v1.cri; do
    value "$1" "plugins.\"$plugin\".registry" config_path | grep . && return
  done
  return 0
}

# files_read DUMP: what containerd reads, one file a line: $config and its imports, without our drop-ins.
files_read() {
  local patterns pattern file
  [ ! -e "$config" ] || echo "$config"
  read -ra patterns < <(value "$1" "" imports | tr -d "[]\"'" | tr , ' ') || true
  for pattern in "${patterns[@]+"${patterns[@]}"}"; do
    for file in $pattern; do
      case $file in "$base" | "$config" | "$drop_in" | "$snapshotter_drop_in" | "$differ_drop_in") continue ;; esac
      [ ! -f "$file" ] || echo "$file"
    done
  done
}

# naming_ours FILE...: lines by which other plugins of containerd's use our snapshotter or differ, as FILE:LINE: TEXT.
naming_ours() {
  awk '
    /^[ \t]*#/ || /^[ \t]*\[/ { next }
    { said = $0; sub(/[ \t]#.*$/, "", said); sub(/^[ \t]+/, "", said) }
    said ~ /snapshotter["\047]?[ \t]*=[ \t]*["\047]paceline["\047]/ || said ~ /["\047]paceline-diff["\047]/ {
      print FILENAME ":" FNR ": " said
    }' "$@"
}

# ask ...: `ctr`, but not for its ten seconds where nobody listens.
ask() { [ -S "$socket" ] && timeout 10 ctr --address "$socket" --connect-timeout 2s "$@" 2> /dev/null; }

# snapshots_with NAME: how many there are with this snapshotter, in all namespaces; fails where that cannot be known: where
# containerd does not run, or has some and the snapshotter does not answer for them.
snapshots_with() {
  local namespace namespaces listed count=0
  listed=$(ask plugins ls) || return 1
  if ! grep -qE "^io\.containerd\.snapshotter\.v1 +$1 " <<< "$listed"; then echo 0; return; fi  # Not loaded: nobody uses it.
  namespaces=$(ask namespaces ls -q) || return 1
  for namespace in $namespaces; do
    listed=$(ask --namespace "$namespace" snapshots --snapshotter "$1" ls) || return 1
    count=$((count + $(tail -n +2 <<< "$listed" | wc -l)))
  done
  echo "$count"
}

# plugins: "type name" of every plugin that is well; nothing where containerd does not run.
plugins() { ask plugins ls | awk '$NF == "ok" { print $1, $2 }' | sort; }

has_snapshotter() { grep -q '^io.containerd.snapshotter.v1 paceline$' <<< "$1"; }
has_store() { grep -q "^io\.containerd\.content\.v1 $1" <<< "$2"; }

# reached PLUGINS: no call that containerd passes on to the daemon ends because there is no connection. Lists of content come from its
# own database: only a blob's bytes, or a snapshotter's list, are asked of the daemon.
reached() {
  local namespace blob failed
  failed=$(for namespace in $(ask namespaces ls -q); do
    blob=$(ask --namespace "$namespace" content ls -q | head -n 1)
    if [ -n "$blob" ]; then
      { timeout 10 ctr --address "$socket" --namespace "$namespace" content get "$blob" | head -c 1; } 2>&1 > /dev/null
    fi
    if has_snapshotter "$1"; then
      timeout 10 ctr --address "$socket" --namespace "$namespace" snapshots --snapshotter paceline ls 2>&1 > /dev/null
    fi
  done)
  ! grep -q "connection error" <<< "$failed"
}

# answers STORE: containerd has come up with this content store, and nothing that was well, and is not ours, is not.
answers() {
  local i found='' lost
  for ((i = 0; i < 60; i++)); do
    found=$(plugins || true)
    if has_store "$1" "$found"; then break; fi
    sleep 0.5
  done
  has_store "$1" "$found" || { say "containerd has no content store '$1' that is well"; return 1; }
  lost=$(comm -23 <(grep -v -e '^io.containerd.content.v1 ' -e ' paceline' <<< "$plugins_before" || true) <(echo "$found"))
  [ -z "$lost" ] || { say "no longer well: $lost"; return 1; }
  # After a restart of the daemon alone containerd connects again within 3 s, which is how long its retries wait at most.
  for ((i = 0; i < 20; i++)); do
    ! reached "$found" || return 0
    sleep 0.5
  done
  say "containerd does not get through to its content store '$1'"
  return 1
}
