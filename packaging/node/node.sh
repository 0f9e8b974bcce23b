# shellcheck shell=bash
# What there is on this node, and where. look_at_the_node changes nothing.

state=/var/lib/paceline/node             # What config.toml was, for an exact way back.
daemon_config=/etc/paceline/config.toml
drop_ins=/etc/containerd/conf.d          # The default import of containerd 2.2 and later.
drop_in=$drop_ins/paceline.toml
snapshotter_drop_in=$drop_ins/paceline-snapshotter.toml
differ_drop_in=$drop_ins/paceline-differ.toml
unit_drop_in=/etc/systemd/system/containerd.service.d/paceline.conf
default_certs=/etc/containerd/certs.d
import="$drop_ins/paceline*.toml"        # No one else's files: they may lie there unused.

# Every folder that this command writes into, but for hosts folders elsewhere.
our_folders() { dirname "$config" "$daemon_config" "$drop_in" "$unit_drop_in" "$default_certs"; }

has_systemd() { [ -d /run/systemd/system ] && command -v systemctl > /dev/null; }
reload_systemd() { if has_systemd; then systemctl daemon-reload; fi; }

# daemon_value TABLE KEY DEFAULT
daemon_value() {
  local found
  found=$(value "$daemon_config" "$1" "$2")
  echo "${found:-$3}"
}

# What config.toml says without us: the very bytes where nobody changed it since, else its lines without ours.
without_us() {
  if [ -e "$state/config.toml.before" ] && cmp -s "$config" "$state/config.toml.installed"; then
    cat "$state/config.toml.before"
  else
    without_our_lines "$config"
  fi
}

# from_share NAME: a drop-in as it comes with Paceline, with this daemon's socket.
from_share() {
  sed "s|/run/paceline/paceline.sock|$(daemon_value "" address /run/paceline/paceline.sock)|" "$share/$1"
}

know_containerd() {
  local major minor patch
  command -v containerd > /dev/null || die "there is no containerd on this node's PATH"
  containerd_version=$(containerd --version | awk '{ print $3 }' | sed -E 's/^v//; s/[~+-].*//')
  IFS=. read -r major minor patch _ <<< "$containerd_version"
  case $major.$minor in
    1.6 | 1.7) file_version=2 ;;
    2.*) file_version=3 ;;
    *) die "containerd $containerd_version: known are 1.6, 1.7 and 2.x" ;;
  esac
  # An older one does not know a proxy plugin of the type diff, and ends at its start.
  takes_differs=true
  case $major.$minor in
    1.6) takes_differs=false ;;
    1.7) [ "${patch:-0}" -ge 4 ] || takes_differs=false ;;
  esac
}

same_file_as_the_unit() {
  local runs_with
  has_systemd || return 0
  runs_with=$(systemctl show -p ExecStart containerd 2> /dev/null | sed -nE 's/.*(--config|-c)[= ]([^ ;]+).*/\2/p' || true)
  [ -z "$runs_with" ] || [ "$runs_with" = "$config" ] ||
    die "containerd.service reads $runs_with, not $config" "Give --containerd-config $runs_with"
}

# The configuration without us. $created: there is none of the user's.
know_base() {
  if [ -e "$config" ] && ! { [ -e "$state/config.toml.absent" ] && cmp -s "$config" "$state/config.toml.installed"; }; then
    created=false
    without_us > "$base"
  else
    created=true
    echo "version = $file_version" > "$base"
  fi
  if ! grep -qE '^[ \t]*[^# \t]' "$base"; then  # Comments only: as good as none, and containerd takes its version for 1.
    { echo "version = $file_version $mark"; cat "$base"; } > "$base.versioned"
    mv "$base.versioned" "$base"
  fi
}

look_at_the_node() {
  know_containerd
  same_file_as_the_unit
  base=$work/base.toml
  know_base
  before=$work/before.dump
  dump "$base" > "$before" 2> "$work/before.error" ||
    die "containerd $containerd_version does not read $config as it is:" "$(tail -n 1 "$work/before.error")"
  socket=$(value "$before" grpc address)
  content=$(value "$before" "" root)/io.containerd.content.v1.content
  default_import=false
  if grep -q "^imports = .*$drop_ins/\*\.toml" "$before" && ! grep -q '^imports' "$base"; then default_import=true; fi
  plugins_before=$(plugins || true)
  # Whether containerd runs with Paceline, or is to as soon as it runs.
  on_before=false
  if [ -e "$drop_in" ] && ! has_store content "$plugins_before"; then on_before=true; fi
}
