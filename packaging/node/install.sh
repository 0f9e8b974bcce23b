# shellcheck shell=bash
# paceline install: plan all files, have containerd read them, then put them; with --now restart, check, or go back.

no_version() { die "$config has no line 'version = 2', so containerd takes it for version 1"; }

# plan_daemon_config HOSTS_DIR: the daemon shares containerd's content and its settings of registries.
plan_daemon_config() {
  local certs
  command -v pacelined > /dev/null || die "there is no pacelined on this node's PATH"
  if [ ! -e "$daemon_config" ]; then
    {
      printf '# written by paceline install\nversion = 1\n\n[store]\ncontent = "%s"\n' "$content"
      [ "$1" = "$default_certs" ] || printf '\n[registry]\ncerts_dirs = ["%s"]\n' "$1"
    } | want "$daemon_config"
    change "$daemon_config"
    return
  fi
  pacelined config check "$daemon_config" > "$work/check" 2>&1 || die "$daemon_config:" "$(cat "$work/check")"
  [ "$(value "$daemon_config" store content)" = "$content" ] ||
    die "$daemon_config keeps content elsewhere than containerd: this node's images would be gone" \
      "In its table [store] it needs: content = \"$content\""
  certs=$(value "$daemon_config" registry certs_dirs)
  case "${certs:-[\"$default_certs\"]}" in
    *"\"$1\""*) ;;
    *) die "$daemon_config: pacelined does not read registries' settings where containerd does" \
      "In its table [registry] it needs: certs_dirs = [\"$1\"]" ;;
  esac
}

# plan_snapshotter: the daemon serves it, and containerd knows of it; who pulls has to name it (docs/snapshotter.md).
plan_snapshotter() {
  local planned=$new$daemon_config
  $snapshotter || return 0
  case $(value "$daemon_config" snapshotter enabled) in
    true) ;;
    '')
      ! grep -qE '^[ \t]*\[snapshotter\]' "$daemon_config" 2> /dev/null ||
        die "$daemon_config: pacelined serves no snapshotter" "In its table [snapshotter] it needs: enabled = true"
      [ -e "$planned" ] || without_our_lines "$daemon_config" | want "$daemon_config"
      [ -z "$(tail -c 1 "$planned")" ] || echo >> "$planned"
      printf '[snapshotter] %s\nenabled = true %s\n' "$mark" "$mark" >> "$planned"
      change "$daemon_config" ;;
    *) die "$daemon_config says that pacelined serves no snapshotter" "In its table [snapshotter] it needs: enabled = true" ;;
  esac
  from_share paceline-snapshotter.toml | want "$snapshotter_drop_in"
  change "$snapshotter_drop_in"
  if $takes_differs; then
    from_share paceline-differ.toml | want "$differ_drop_in"
    change "$differ_drop_in"
  fi
}

# plan_unit: whoever starts containerd starts its content store first.
plan_unit() {
  [ -d /etc/systemd/system ] || return 0
  printf '# %s\n[Unit]\nWants=pacelined.service\nAfter=pacelined.service\n' \
    "written by paceline install: containerd does not start before its content store" | want "$unit_drop_in"
  change "$unit_drop_in"
}

# plan_hosts_path CANDIDATE: sets $hosts_path, where CRI looks for hosts already, else where nerdctl and ctr's users look.
plan_hosts_path() {
  local plugin=io.containerd.grpc.v1.cri
  hosts_path=$default_certs
  $mirror && has_cri "$before" || return 0
  hosts_path=$(cri_hosts_path "$before")
  [ -z "$hosts_path" ] || return 0
  if grep -qE '\.registry\.(mirrors\.|configs\..*\.tls\])' "$before"; then
    die "$config has registry.mirrors or registry.configs.*.tls, which containerd does not take together with config_path" \
      "Move them to $default_certs/HOST/hosts.toml, or install with --no-mirror: then only prefetches are accelerated"
  fi
  has_version "$base" || no_version
  [ "$(value "$base" "" version)" = 2 ] || plugin=io.containerd.cri.v1.images
  hosts_path=$default_certs
  add_config_path "$1" "$plugin" "$default_certs" > "$1.next"
  mv "$1.next" "$1"
}

# plan_hosts: $hosts_dir's _default, and every registry that has a file of its own, which containerd reads instead.
plan_hosts() {
  local block file folders others
  $mirror || return 0
  block=$(grep -v '^#' "$share/_default-hosts.toml" | sed "s|127.0.0.1:5151|$(daemon_value mirror address 127.0.0.1:5151)|")
  IFS=: read -ra folders <<< "$hosts_path"
  while read -r file; do
    with_block "$file" "$block" | want "$file"
    change "$file"
  done < <(echo "$hosts_dir/_default/hosts.toml"; hosts_files "${folders[@]}")
  others=$(certificate_folders "${folders[@]}" | xargs)
  [ -z "$others" ] ||
    say "note: pulls from $others are not accelerated: their folders in $hosts_path have certificates and no hosts.toml"
}

# plan_drop_in CANDIDATE
plan_drop_in() {
  from_share paceline.toml | want "$drop_in"
  if $default_import || grep -q "^[^#]*\"$drop_ins/\*\.toml\"" "$1"; then return; fi
  has_version "$base" || no_version
  add_import "$1" "$import" > "$1.next"
  mv "$1.next" "$1"
}

# staged CANDIDATE: with the paths of this run instead of the node's, so that it is read together with its drop-ins.
staged() {
  local file
  mkdir -p "$new$drop_ins"
  for file in "$drop_ins"/*.toml; do
    [ ! -e "$file" ] || [ -e "$new$file" ] || cp "$file" "$new$file"
  done
  if $default_import; then
    awk -v line="imports = [\"$new$import\"]" '{ print } /^version[ \t]*=/ && !done { print line; done = 1 }' "$1"
  else
    sed "s|\"$drop_ins/|\"$new$drop_ins/|g" "$1"
  fi
}

# containerd_agrees CANDIDATE: it reads what is meant, and nothing else differently. Sets $store.
containerd_agrees() {
  local after=$work/after.dump
  staged "$1" > "$work/staged.toml"
  dump "$work/staged.toml" > "$after" 2> "$work/after.error" ||
    die "containerd $containerd_version would not accept the change:" "$(tail -n 1 "$work/after.error")"
  store=$(sed -nE '/^\[proxy_plugins\./ { s/^\[proxy_plugins\.([^]]+)\].*/\1/p; q }' "$new$drop_in")
  if ! grep -q '^disabled_plugins = .*io\.containerd\.content\.v1\.content' "$after" ||
    ! grep -qE "^[ \t]*\[proxy_plugins\.[\"']?${store}[\"']?\]" "$after"; then
    die "$config: containerd would not read $drop_in" "Its line 'imports' is not one that this command understands"
  fi
  [ "$(awk '/^[ \t]*\[/ { proxy = /proxy_plugins/ } proxy && /^[ \t]*type = .content./' "$after" | wc -l)" = 1 ] ||
    die "containerd has another content store among its proxy plugins; exactly one may exist"
  if $mirror && has_cri "$before"; then
    [ "$(cri_hosts_path "$after")" = "$hosts_path" ] ||
      die "$config: CRI's registry table is not one that this command understands" \
        "Write config_path = \"$default_certs\" into it, or install with --no-mirror"
  fi
  diff <(compared "$before") <(compared "$after") > "$work/also" ||
    die "containerd would read more than that differently:" "$(cat "$work/also")"
}

plan_install() {
  local candidate=$work/candidate.toml
  mkdir -p "$new$(dirname "$config")"
  cp "$base" "$candidate"
  plan_hosts_path "$candidate"
  case :$hosts_path: in
    *:$default_certs:*) hosts_dir=$default_certs ;;
    *) hosts_dir=${hosts_path##*:} ;;
  esac
  plan_daemon_config "$hosts_dir"
  plan_unit
  plan_snapshotter
  plan_hosts
  plan_drop_in "$candidate"
  containerd_agrees "$candidate"
  # Last what switches over: the import where there is none yet, else the drop-in itself. Nothing before it has an effect.
  cp "$candidate" "$new$config"
  if grep -qF "\"$import\"" "$candidate"; then
    change "$drop_in"
    change "$config"
  else
    change "$config"
    change "$drop_in"
  fi
}

# The way back is there before the way forth is taken.
keep_backup() {
  keep_old
  [ ! -d "$state" ] || cp -a "$state" "$work/state"
  install -d -m 0700 "$state"
  if $created; then
    rm -f "$state/config.toml.before"
    touch "$state/config.toml.absent"
  else
    without_us > "$state/config.toml.before.part"
    mv -f "$state/config.toml.before.part" "$state/config.toml.before"
    rm -f "$state/config.toml.absent"
  fi
  cp "$new$config" "$state/config.toml.installed"
  if [ -e "$new$daemon_config" ] && { [ ! -e "$daemon_config" ] || cmp -s "$daemon_config" "$state/daemon.toml.installed"; }; then
    cp "$new$daemon_config" "$state/daemon.toml.installed"
  fi
  sync -f "$state"
}

# restart_containerd: but not one that runs as it did, since this run has not restarted it yet.
restart_containerd() {
  if ! $restarted && has_store "$1" "$plugins_before"; then return; fi
  systemctl restart containerd
}

# go_on_without: a node on which Paceline was not on.
go_on_without() {
  forget_changes
  plan_uninstall
  settle
  apply
  reload_systemd
  systemctl disable pacelined > /dev/null 2>&1 || true
  restart_containerd content || true
  systemctl stop pacelined || true
  if answers content; then
    say "containerd runs without Paceline."
  else
    say "containerd is not well after going back either: see journalctl -u containerd"
  fi
  finish_uninstall
}

# go_on_as_before: a node on which Paceline was on, and may hold images and be named in config.toml.
go_on_as_before() {
  if [ ${#changes[@]} -gt 0 ]; then
    take_back
    rm -rf "$state"
    [ ! -d "$work/state" ] || cp -a "$work/state" "$state"
    reload_systemd
  fi
  if systemctl restart pacelined && restart_containerd paceline && answers paceline; then
    say "Paceline is on as it was before."
    return
  fi
  say "Paceline does not run as it was before either: see journalctl -u pacelined -u containerd"
  if (refuse_what_would_be_missed && refuse_what_would_lose_images); then
    go_on_without
  else
    say "It was not switched off therefore. Mend it, or: paceline uninstall --now --force"
  fi
}

roll_back() {
  say "Going back to how it was."
  if $on_before; then go_on_as_before; else go_on_without; fi
}

switch_on() {
  restarted=false  # containerd, by this run.
  if ! systemctl restart pacelined; then
    roll_back
    die "pacelined does not start: see journalctl -u pacelined"
  fi
  restarted=true
  if ! systemctl restart containerd || ! answers "$store"; then
    roll_back
    die "containerd did not come up well with Paceline: see journalctl -u containerd"
  fi
  say "Paceline is on: containerd $containerd_version has the content store '$store'."
}

do_install() {
  plan_install
  settle
  if $dry_run; then show; return; fi
  our_folders | sweep
  if [ ${#changes[@]} -gt 0 ]; then
    say "containerd $containerd_version, $config:"
    keep_backup
    apply
  else
    say "Everything is in place already."
  fi
  if ! has_systemd; then
    say "There is no systemd here. Start pacelined, wait for its socket, then restart containerd."
    return
  fi
  reload_systemd
  systemctl enable pacelined > /dev/null
  if ! $now; then
    say "Still to do, or run this with --now:  systemctl restart pacelined containerd"
  elif [ ${#changes[@]} = 0 ] && has_store "$store" "$plugins_before"; then
    say "Paceline is on."
  else
    switch_on
  fi
}
