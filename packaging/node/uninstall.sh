# shellcheck shell=bash
# paceline uninstall: take out what install put in; with --now restart containerd, then stop the daemon.

# A plugin that asks for a snapshotter or a differ that has gone does not load: without CRI's a node is not ready.
refuse_what_would_be_missed() {
  local files named
  $force && return
  [ -e "$snapshotter_drop_in" ] || [ -e "$differ_drop_in" ] || return 0
  mapfile -t files < <(files_read "$before")
  [ ${#files[@]} -gt 0 ] || return 0
  mapfile -t named < <(naming_ours "${files[@]}")
  [ ${#named[@]} = 0 ] || die "containerd is told to use Paceline's snapshotter or differ, and would not load what asks for them:" \
    "${named[@]}" "Name the former ones there (most often overlayfs, and walking), or go on with --force"
}

refuse_what_would_lose_images() {
  local kept snapshots
  $force && return
  if [ -e "$snapshotter_drop_in" ]; then
    snapshots=$(snapshots_with paceline) || die "containerd does not say whether images are held by the snapshotter 'paceline'" \
      "It can say so while both run: systemctl start pacelined containerd" \
      "Or go on with --force: such images have to be pulled again"
    [ "$snapshots" = 0 ] || die "$snapshots snapshots are held by the snapshotter 'paceline'" \
      "Remove the containers and images that use it first, or go on with --force: they have to be made and pulled again"
  fi
  [ -e "$drop_in" ] || return 0
  kept=$(value "$daemon_config" store content)
  [ "$kept" = "$content" ] ||
    die "pacelined keeps content in ${kept:-its own folder}, not in $content: images pulled with it would be gone" "--force goes on"
}

plan_uninstall() {
  local hosts folders
  mkdir -p "$new$(dirname "$config")"
  if ! $created && [ -e "$config" ]; then
    without_us > "$new$config"
    # A file of which only the version is left, and which was not there before.
    if [ -e "$state/config.toml.absent" ] && [ "$(cat "$new$config")" = "version = $file_version" ]; then rm "$new$config"; fi
  fi
  change "$config"
  change "$drop_in"
  change "$snapshotter_drop_in"
  change "$differ_drop_in"
  IFS=: read -ra folders <<< "$(cri_hosts_path "$before"):$default_certs"
  for hosts in "${folders[@]/%//_default/hosts.toml}" $(hosts_files "${folders[@]}"); do
    has_block "$hosts" || continue
    without_block "$hosts" | want "$hosts"
    [ -s "$new$hosts" ] || rm "$new$hosts"
    change "$hosts"
  done
  change "$unit_drop_in"
  if [ -e "$daemon_config" ] && ! cmp -s "$daemon_config" "$state/daemon.toml.installed"; then
    without_our_lines "$daemon_config" | want "$daemon_config"
  fi
  change "$daemon_config"
}

finish_uninstall() { rm -rf "$state"; }

do_uninstall() {
  refuse_what_would_be_missed
  refuse_what_would_lose_images
  plan_uninstall
  settle
  if $dry_run; then show; return; fi
  our_folders | sweep
  if [ ${#changes[@]} -gt 0 ]; then apply; else say "Nothing of Paceline's is configured."; fi
  if ! has_systemd; then
    say "There is no systemd here. Restart containerd, then stop pacelined: not the other way round."
  else
    reload_systemd
    systemctl disable pacelined > /dev/null 2>&1 || true
    if $now; then
      # Until containerd has let go of it, the daemon has to run.
      if has_store paceline "$plugins_before"; then systemctl restart containerd; fi
      answers content || die "containerd did not come up with its own content store: see journalctl -u containerd"
      systemctl stop pacelined 2> /dev/null || true
      say "Paceline is off: containerd $containerd_version has its own content store again."
    elif has_store paceline "$plugins_before"; then
      say "Still to do, or run this with --now:  systemctl restart containerd && systemctl stop pacelined"
    fi
  fi
  finish_uninstall
}
