"""A private containerd: own root, state, address and configuration, so that nothing of the machine's is touched."""

import json
import pathlib
import shutil
import subprocess
import time
import uuid

from .processes import Process, run, unmount_below

HOSTS = '[host."http://127.0.0.1:{port}"]\n  capabilities = ["pull", "resolve"]\n'
OTHER_SNAPSHOTTERS = ("aufs", "btrfs", "devmapper", "zfs", "blockfile", "erofs")


class Containerd:
    """`store`: the daemon's socket, or None for the built-in store. `mirror_port`: writes certs.d/_default/hosts.toml.
    `enter`: the command that runs containerd and ctr elsewhere, e.g. `nsenter --net=…`; it has to exec them. `extra_config`:
    more TOML tables. `snapshotter`: a snapshotter's socket; images are then unpacked and run with it. `differ`: a differ's
    socket; every layer that is to be unpacked goes there first. `imports`: drop-in files, as a user installs them."""

    def __init__(self, version, directory, store=None, mirror_port=None, cri=False, enter=(), extra_config="",
                 snapshotter=None, differ=None, imports=()):
        self.snapshotter, self.differ = snapshotter, differ
        self.version, self.directory, self.store, self.cri = version, pathlib.Path(directory), store, cri
        self.enter, self.extra_config = list(enter), extra_config
        self.imports = [str(path) for path in imports]
        self.directory.mkdir(parents=True, exist_ok=True)
        # Unix socket paths are short: keep the address out of pytest's long directories.
        self.run_dir = pathlib.Path("/run") / f"paceline-test-{uuid.uuid4().hex[:8]}"
        self.address = self.run_dir / "containerd.sock"
        self.root = self.directory / "root"
        self.certs = self.directory / "certs.d"
        if mirror_port:
            self.point_at_mirror(mirror_port)
        self.process = None

    @property
    def content_root(self):
        return self.root / "io.containerd.content.v1.content"

    def point_at_mirror(self, port):
        default = self.certs / "_default"
        default.mkdir(parents=True, exist_ok=True)
        (default / "hosts.toml").write_text(HOSTS.format(port=port))

    def config(self):
        new = self.version.major >= 2
        disabled = [f"io.containerd.snapshotter.v1.{name}" for name in OTHER_SNAPSHOTTERS]
        plugins = [f'[plugins."io.containerd.internal.v1.opt"]\n  path = "{self.directory}/opt"']
        if new or self.version.minor >= 7:
            plugins.append('[plugins."io.containerd.nri.v1.nri"]\n  disable = true')
        if not self.cri:
            disabled += ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime"]
        elif new:
            plugins.append(f'[plugins."io.containerd.cri.v1.images".registry]\n  config_path = "{self.certs}"')
        else:
            plugins.append(f'[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "{self.certs}"')
        if self.store:
            disabled.append("io.containerd.content.v1.content")
            plugins.append(f'[proxy_plugins.paceline-content]\n  type = "content"\n  address = "{self.store}"')
        if self.snapshotter:
            plugins += self.snapshotter_config()
        if self.differ:
            plugins += self.differ_config()
        return "\n".join([
            f"version = {3 if new else 2}", f"imports = {json.dumps(self.imports)}", f'root = "{self.root}"', f'state = "{self.run_dir}/state"',
            f"disabled_plugins = {json.dumps(disabled)}", f'[grpc]\n  address = "{self.address}"', *plugins,
            self.extra_config]) + "\n"

    def snapshotter_config(self):
        tables = [f'[proxy_plugins.paceline]\n  type = "snapshot"\n  address = "{self.snapshotter}"']
        if self.version.major >= 2:
            # The transfer service unpacks for the snapshotters that it is told of, and for no others.
            tables.append('[[plugins."io.containerd.transfer.v1.local".unpack_config]]\n'
                          '  platform = "linux/amd64"\n  snapshotter = "paceline"\n  differ = "walking"')
        if self.cri and self.version.major >= 2:
            tables.append('[plugins."io.containerd.cri.v1.images"]\n  snapshotter = "paceline"')
        elif self.cri:
            tables.append('[plugins."io.containerd.grpc.v1.cri".containerd]\n  snapshotter = "paceline"')
        return tables

    def differ_config(self):
        """The transfer service has a list of its own, without a second differ to fall back to."""
        tables = [f'[proxy_plugins.paceline-diff]\n  type = "diff"\n  address = "{self.differ}"',
                  '[plugins."io.containerd.service.v1.diff-service"]\n  default = ["paceline-diff", "walking"]']
        if self.version.major >= 2 and not self.snapshotter:
            tables.append('[[plugins."io.containerd.transfer.v1.local".unpack_config]]\n'
                          '  platform = "linux/amd64"\n  snapshotter = "overlayfs"\n  differ = "paceline-diff"')
        return tables

    def start(self, wait=True):
        self.run_dir.mkdir(exist_ok=True)
        config = self.directory / "config.toml"
        config.write_text(self.config())
        self.process = Process([*self.enter, self.version.bin / "containerd", "--config", config, "--log-level", "info"],
                               self.directory / "containerd.log",
                               env={"PATH": f"{self.version.bin}:/usr/sbin:/usr/bin:/sbin:/bin"})
        if wait:
            self.process.wait_until(self.answers, f"{self.version} to answer", 30)
        return self

    def answers(self):
        return self.address.exists() and self.ctr("version", check=False, timeout=10).returncode == 0

    def stop(self):
        """Stops containerd, and unmounts what containers left; keeps its root, so that it can start again."""
        if self.process:
            self.process.stop()
            self.process = None
        unmount_below(self.run_dir, self.directory)

    def close(self):
        self.stop()
        shutil.rmtree(self.run_dir, ignore_errors=True)

    # What a user does with ctr.

    def ctr(self, *arguments, namespace="default", check=True, timeout=120):
        return run(*self.enter, self.version.bin / "ctr", "--address", self.address, "--namespace", namespace, *arguments,
                   check=check, timeout=timeout)

    def pull_arguments(self, reference, user=None, local=False, all_platforms=False):
        arguments = ["images", "pull", "--plain-http"]
        if self.snapshotter:
            arguments += ["--snapshotter", "paceline"]
        if self.certs.exists():
            arguments += ["--hosts-dir", self.certs]
        if user:
            arguments += ["--user", user]
        if local and self.version.has_transfer_service:
            arguments.append("--local")
        if all_platforms:
            arguments.append("--all-platforms")
        return [*arguments, reference]

    def pull(self, reference, namespace="default", check=True, timeout=120, **options):
        return self.ctr(*self.pull_arguments(reference, **options), namespace=namespace, check=check, timeout=timeout)

    def pull_in_background(self, reference, log, namespace="default", **options):
        return Process([*self.enter, self.version.bin / "ctr", "--address", self.address, "--namespace", namespace,
                        *self.pull_arguments(reference, **options)], log)

    def _run_arguments(self, reference):
        name = f"paceline-test-{uuid.uuid4().hex[:12]}"
        snapshotter = ["--snapshotter", "paceline"] if self.snapshotter else []
        return ["run", "--rm", *snapshotter, reference, name]

    def run_image(self, reference, namespace="default"):
        """What a container of the image prints."""
        return self.ctr(*self._run_arguments(reference), namespace=namespace).stdout

    def first_word(self, reference):
        """When (time.monotonic) a container of the image printed its first line, and the line."""
        child = subprocess.Popen([*map(str, self.enter), self.version.bin / "ctr", "--address", self.address,
                                  *self._run_arguments(reference)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        with child:
            line = child.stdout.readline()
            at = time.monotonic()
            child.stdout.read()
        assert child.returncode == 0
        return at, line

    def images(self, namespace="default"):
        return self.ctr("images", "list", "--quiet", namespace=namespace).stdout.split()

    def content(self, namespace="default"):
        return set(self.ctr("content", "list", "--quiet", namespace=namespace).stdout.split())

    def remove(self, reference, namespace="default"):
        """Removes an image and waits for the garbage collection."""
        self.ctr("images", "remove", "--sync", reference, namespace=namespace)

    def collect_garbage(self):
        """A full, awaited garbage collection: what a removal triggers, here of a lease that holds nothing."""
        lease = self.ctr("leases", "create").stdout.strip()
        self.ctr("leases", "delete", "--sync", lease)
