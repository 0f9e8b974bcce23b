"""containerd: with its own store, and with the daemon as its content store. A pull ends with the image unpacked."""

import contextlib
import functools

from harness import versions
from harness.containerd import Containerd

from . import paceline, trail
from .base import Measured, System, by_link

# What Bottlerocket had as its default for the ranged fetch: chunks of 8 MiB.
RANGED = """[plugins."io.containerd.transfer.v1.local"]
  concurrent_layer_fetch_buffer = 8388608
  max_concurrent_downloads = {streams}
"""
CRI_DEFAULT = 3  # max_concurrent_downloads, what a kubelet's pulls get


@functools.lru_cache(maxsize=None)
def _version(suite):
    if suite == "bookworm":
        return versions.Version("bookworm", "/usr/bin")
    return versions.all_versions()[suite]


@contextlib.contextmanager
def _running(site, directory, suite, **options):
    daemon = Containerd(_version(suite), directory, enter=site.enter, **options)
    try:
        with site.setup:
            daemon.start()
        yield daemon
    finally:
        with site.setup:
            daemon.close()


def _ctr(daemon, reference, *options, local=True):
    pull = daemon.pull_arguments(reference, local=local)
    return [daemon.version.bin / "ctr", "--address", daemon.address, *pull[:-1], *options, pull[-1]]


class Containerd16(System):
    """`default`: ctr's, all layers at once. `3`: as kubelets pull."""
    name = "containerd-1.6"
    needs = ("containerd", "ctr")
    unpacks = True
    suite = "bookworm"
    setup_seconds = 0.6

    def settings(self, cell):
        return [("default", 1)] + ([(str(CRI_DEFAULT), 2)] if len(cell.layers) > 1 else [])

    def streams(self, setting, cell):
        return (len(cell.layers) if setting == "default" else int(setting)), False

    def run(self, site, image, setting, timeout, expected):
        with site.scratch(self.name) as directory, _running(site, directory, self.suite) as daemon:
            options = [] if setting == "default" else ["--max-concurrent-downloads", setting]
            yield by_link(site.time(_ctr(daemon, image.reference(site.host), *options), timeout, expected))


class Containerd21(Containerd16):
    """`default`, `3`: as for 1.6. `ranged:N`: the transfer service with N parallel chunks of 8 MiB a layer."""
    name = "containerd-2.1"
    suite = "forky"

    def missing(self):
        try:
            return [] if str(_version(self.suite).number).startswith("2.1.") else [f"containerd 2.1 of {self.suite}"]
        except Exception as error:  # No archive within reach: everything else can still be measured.
            return [f"containerd of {self.suite} ({error})"]

    def settings(self, cell):
        return [("default", 2), ("ranged:16", 1)]

    def streams(self, setting, cell):
        return (16, True) if setting.startswith("ranged") else super().streams(setting, cell)

    def run(self, site, image, setting, timeout, expected):
        if not setting.startswith("ranged"):
            yield from super().run(site, image, setting, timeout, expected)
            return
        yield self.transfer(site, image, timeout, expected, RANGED.format(streams=setting.removeprefix("ranged:")))

    def transfer(self, site, image, timeout, expected, config=""):
        """A pull by the transfer service, with `config` for it."""
        with site.scratch(self.name) as directory, _running(site, directory, self.suite, extra_config=config) as daemon:
            return by_link(site.time(_ctr(daemon, image.reference(site.host), local=False), timeout, expected))


class PacelineContainerd(System):
    """containerd 1.6 whose content store is the daemon: `ctr images pull` through the mirror, with unpack by containerd."""
    name = "paceline+containerd"
    needs = ("containerd", "ctr")
    unpacks = True
    setup_seconds = 1.0
    suite = "bookworm"
    snapshots = False  # whether the daemon is the snapshotter too
    local = True       # whether ctr fetches itself

    def missing(self):
        return super().missing() + paceline.Paceline().missing()

    def settings(self, cell):
        return [("adaptive", 1)]

    def streams(self, setting, cell):
        return 12, True

    def run(self, site, image, setting, timeout, expected):
        with site.scratch("node") as directory, \
                paceline.running(site, directory / "paceline", setting, snapshots=self.snapshots) as daemon, \
                _running(site, directory / "containerd", self.suite, store=daemon.address, mirror_port=daemon.mirror_port,
                         snapshotter=daemon.address if self.snapshots else None) as node, \
                trail.following(daemon.address) as seen:
            timing = site.time(_ctr(node, image.reference(site.host), local=self.local), timeout, expected, look=seen.look)
            seen.look(timing.seconds)
            yield Measured("first", timing, timing.connections_mean, seen.limit or timing.connections, seen.extra())


class PacelineSnapshotter(PacelineContainerd):
    """containerd 2.1 with the daemon as content store and snapshotter: its transfer service pulls, and finds each layer
    unpacked that the daemon unpacked while its bytes arrived."""
    name = "paceline+snapshotter"
    suite = "forky"
    snapshots = True
    local = False

    def missing(self):
        return super().missing() + Containerd21().missing()
