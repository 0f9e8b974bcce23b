#!/bin/bash
# Paceline from nothing on a fresh Debian 12: installs packages, builds, and pulls images made on the spot, each twice, from a
# registry of its own: with a containerd as it is, and with one that uses pacelined. By ctr, and as the kubelet pulls (CRI).
#
# usage: sudo packaging/quickstart.sh [--keep]     --keep: leaves the registry, containerd and pacelined running, to try out
#
# All it starts is private (own folder, sockets and loopback ports) and gone afterwards; this machine's containerd and its
# images are not touched. Run it again whenever you like.
set -euo pipefail
cd "$(dirname "$0")/.."
keep=false
case "${1:-}" in
  "") ;;
  --keep) keep=true ;;
  *) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
if [ "$(id -u)" != 0 ]; then
  command -v sudo > /dev/null || { echo "quickstart: run it as root (containerd needs it), there is no sudo here" >&2; exit 1; }
  exec sudo "$PWD/packaging/quickstart.sh" "$@"
fi

work=$(mktemp -d /tmp/paceline-quickstart.XXXXXX)
pids=()

say() { printf '[%2d:%02d] %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$*"; }

unmount_leftovers() {
  awk -v under="$work/" 'index($2, under) == 1 { print $2 }' /proc/self/mounts | tac | while read -r mount; do umount -l "$mount"; done
}

clean_up() {
  local code=$?
  trap - EXIT
  if [ $code != 0 ]; then
    echo
    echo "quickstart: failed. The last words of what it started:" >&2
    tail -n 15 "$work"/*.log >&2 2> /dev/null || true
  fi
  if ! $keep || [ $code != 0 ]; then
    for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2> /dev/null || true; done
    unmount_leftovers
    rm -rf "$work"
  fi
  exit $code
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# start NAME COMMAND...: in the background, in a session of its own, output in NAME.log.
start() {
  local name=$1
  shift
  setsid "$@" > "$work/$name.log" 2>&1 < /dev/null &
  pids+=($!)
  last=$!
}

# await WHAT COMMAND...: until the command succeeds.
await() {
  local what=$1 i
  shift
  for ((i = 0; i < 300; i++)); do
    if "$@" > /dev/null 2>&1; then return; fi
    kill -0 "$last" 2> /dev/null || { echo "quickstart: $what ended while starting" >&2; exit 1; }
    sleep 0.1
  done
  echo "quickstart: $what did not start within 30 s" >&2
  exit 1
}

python() { PYTHONPATH=tests/integration PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$@"; }

free_ports() { python -c "from harness.processes import free_port; print(free_port(), free_port())"; }

# ---- Build ----------------------------------------------------------------------------------------------------------------

say "packages (build, run, demo)"
packaging/install-dependencies.sh build run demo
say "build: a few minutes the first time"
cmake --preset release > "$work/configure.log"
# Ninja's "[12/148] Building …" as a line for every tenth; all of it when it fails.
cmake --build --preset release --target pacelined paceline 2>&1 | tee "$work/build.log" | awk -F'[][/]' '
  /^\[[0-9]+\/[0-9]+\]/ { tenth = int(10 * $2 / $3); if (tenth > last) { print "        " 10 * tenth " %"; fflush(); last = tenth } }' ||
  { cat "$work/build.log"; exit 1; }
bin=$PWD/build/release/bin
rm "$work/configure.log" "$work/build.log"

# ---- A registry, and an image in it ---------------------------------------------------------------------------------------

read -r registry_port mirror_port < <(free_ports)
registry=127.0.0.1:$registry_port
say "docker-registry on $registry, and images made on the spot"
cat > "$work/registry.yml" << YAML
version: 0.1
log: {level: warn}
http: {addr: "$registry"}
storage: {filesystem: {rootdirectory: "$work/registry"}}
YAML
start registry docker-registry serve "$work/registry.yml"
await docker-registry curl -fs "http://$registry/v2/"
# An image of its own for each comparison, so that every pull is cold.
python - "$registry" << 'PYTHON'
import sys
from harness import images, registry
MIB = images.MIB
for client in ("ctr", "cri"):
    for where in ("direct", "limited"):
        # The kubelet's is more like a function's: small files, too.
        more = [images.small_files(4000)] if client == "cri" else []
        image = images.make_image(f"the quickstart by {client}, {where}", sizes=[24 * MIB, 8 * MIB, 4 * MIB, 4 * MIB, 2 * MIB, MIB, MIB], more=more)
        registry.push(sys.argv[1], image, f"demo/{client}-{where}")
print(f"        {len(image.layers)} layers, {image.layer_bytes / 1e6:.0f} MB, the largest of them {24 * MIB / 1e6:.0f} MB")
PYTHON
# The same registry once more, as a blob store on the internet serves it: so much a second for each connection.
limit=4000000
start slow_link env PYTHONPATH=tests/integration PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m harness.slow_link "$registry" $limit
await "the slow link" test -s "$work/slow_link.log"
limited=$(cat "$work/slow_link.log")

# ---- Two containerds ------------------------------------------------------------------------------------------------------

# containerd_config NAME [SNAPSHOTTER]: a private containerd that reads drop-ins of its own, as /etc/containerd/config.toml
# would. SNAPSHOTTER: the kubelet's, if it is not containerd's default.
containerd_config() {
  mkdir -p "$work/$1/conf.d"
  cat > "$work/$1/config.toml" << TOML
version = 2
root = "$work/$1/root"
state = "$work/$1/state"
imports = ["$work/$1/conf.d/*.toml"]
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
                    "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "$work/$1/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$work/$1/opt"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "${2:-overlayfs}"
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "$work/$1/certs.d"
TOML
}

say "pacelined: mirror on 127.0.0.1:$mirror_port"
socket=$work/paceline.sock
cat > "$work/paceline.toml" << TOML
version = 1
[mirror]
address = "127.0.0.1:$mirror_port"
[metrics]
address = "127.0.0.1:0"
[registry]
certs_dirs = ["$work/registry-settings"]
docker_configs = ["$work/docker.json"]
[snapshotter]
enabled = true
[containerd]
address = "$work/paceline/containerd.sock"
TOML
start pacelined "$bin/pacelined" --config "$work/paceline.toml" --address "$socket" --root "$work/pacelined"
await pacelined "$bin/paceline" --address "$socket" version

say "$(containerd --version | cut -d' ' -f1,3) twice: as it is, and with the drop-ins of packaging/containerd"
containerd_config plain
containerd_config paceline paceline
for drop_in in paceline paceline-snapshotter; do
  sed "s|/run/paceline/paceline.sock|$socket|" packaging/containerd/$drop_in.toml > "$work/paceline/conf.d/$drop_in.toml"
done
mkdir -p "$work/paceline/certs.d/_default"
sed "s|127.0.0.1:5151|127.0.0.1:$mirror_port|" packaging/containerd/_default-hosts.toml > "$work/paceline/certs.d/_default/hosts.toml"
for name in plain paceline; do
  start "containerd-$name" containerd --config "$work/$name/config.toml"
  await "containerd ($name)" ctr --address "$work/$name/containerd.sock" version
done

# ---- The pulls ------------------------------------------------------------------------------------------------------------

ctr_paceline() { ctr --address "$work/paceline/containerd.sock" "$@"; }

# pull CLIENT NAME IMAGE: a pull by ctr, or by CRI as the kubelet's, with that containerd; prints the seconds that it took.
pull() {
  python - "$1" "$work/$2/containerd.sock" "$3" "$work/$2/certs.d" > "$work/pull.out" 2> "$work/pull.log" << 'PYTHON' || { cat "$work/pull.log" >&2; return 1; }
import pathlib, subprocess, sys, time
from harness import cri
client, socket, image, certs = sys.argv[1:]
if client == "cri":
    service = cri.ImageService(socket)
    service.list()
    call = lambda: service.pull(image)
else:
    hosts = ["--hosts-dir", certs] if pathlib.Path(certs).exists() else []
    call = lambda: subprocess.run(["ctr", "--address", socket, "images", "pull", "--plain-http", *hosts, image],
                                  check=True, stdout=subprocess.DEVNULL)
begin = time.monotonic()
call()
print(f"{time.monotonic() - begin:.1f}")
PYTHON
  cat "$work/pull.out"
}

# fetched_layers REPOSITORY: how many layer requests the registry's access log has from containerd, and from pacelined.
fetched_layers() {
  grep -F "GET /v2/$1/blobs/" "$work/registry.log" | awk -F'"' '
    $6 ~ /^paceline/ { ours++ } $6 !~ /^paceline/ { others++ } END { print others + 0, ours + 0 }'
}

declare -A took
asked_plain="" asked_paceline=""
for client in ctr cri; do
  by=$([ $client = ctr ] && echo ctr || echo "the kubelet's way (CRI)")
  for where in direct limited; do
    repository=demo/$client-$where
    image=$([ $where = direct ] && echo "$registry" || echo "$limited")/$repository:latest
    say "cold pull by $by, $where: containerd alone"
    took[plain-$client-$where]=$(pull $client plain "$image")
    read -r theirs ours < <(fetched_layers "$repository")
    asked_plain="containerd $theirs, pacelined $ours"
    say "cold pull by $by, $where: through pacelined"
    took[paceline-$client-$where]=$(pull $client paceline "$image")
    read -r both ours < <(fetched_layers "$repository")
    asked_paceline="containerd $((both - theirs)), pacelined $ours"
  done
done

say "a container of it, from the layers that pacelined unpacked"
ctr_paceline --namespace k8s.io run --rm --snapshotter paceline "$image" quickstart-$$ | sed 's/^/        /'

row() { printf '  %-42s %22s %30s\n' "$@"; }
rows() {
  row "$2, loopback, no limit" "${took[plain-$1-direct]} s" "${took[paceline-$1-direct]} s"
  row "$2, $((limit / 1000000)) MB/s for each connection" "${took[plain-$1-limited]} s" "${took[paceline-$1-limited]} s"
}
echo
row "cold pull: fetch, verify, unpack" "containerd alone" "containerd with Paceline"
rows cri "kubelet"
rows ctr "ctr"
row "who asked the registry for blobs" "$asked_plain" "$asked_paceline"
cat << TEXT

  The last line is counted from docker-registry's own access log, over config and layers of one pull. Where each connection
  is slow or far, one layer over one connection is what a cold pull waits for. The kubelet finds the layers unpacked while
  they arrived (docs/snapshotter.md); ctr of containerd 1.6 unpacks by itself, and on a bare loopback, where there is nothing
  to win, pays for reading the layers back through containerd.

  What the daemon says of it:
TEXT
"$bin/paceline" --address "$socket" pulls --all | sed 's/^/    /'
echo
if $keep; then
  trap - EXIT
  cat << TEXT
Kept running, everything under $work:
    $bin/paceline --address $socket status
    ctr --address $work/paceline/containerd.sock images pull --plain-http --hosts-dir $work/paceline/certs.d $image
    stop it:  kill ${pids[*]} && sleep 1 && rm -r $work
TEXT
else
  say "stopping and removing what was started"
fi
cat << TEXT
Next:
    README.md                 install Paceline on a node
    docs/configuration.md     every key, with its default
    sudo tests/run.sh         all tests, against containerd 1.6, 1.7 and 2.1
TEXT
