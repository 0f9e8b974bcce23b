"""kill -9 at random points of pulls that unpack: no half layer is ever offered, nothing is left behind, the next pull works.

PACELINE_KILLS is how often (5; 50 to be sure), PACELINE_SEED which points."""

import os
import pathlib
import random
import sqlite3
import threading
import time

import grpc
import pytest

from harness.containerd import Containerd
from harness.cri import ImageService
from harness.debian_image import SMALL, DebianImage
from harness.processes import wait_until
from harness.snapshots import chain_ids, folders_below
from harness.trees import describe, differences
from harness.versions import ROOT

KILLS = int(os.environ.get("PACELINE_KILLS", "5"))
SEED = int(os.environ.get("PACELINE_SEED", "1"))
COMMITTED = 3  # plugin/snapshots/snapshot.h


class Truth:
    """What each layer's folder holds, by chain ID, as containerd itself unpacks it."""

    def __init__(self, containerd, reference, image, since):
        containerd.pull(reference, local=True)
        snapshots = containerd.root / "io.containerd.snapshotter.v1.overlayfs" / "snapshots"
        folders = sorted(snapshots.iterdir(), key=lambda path: int(path.name))
        assert len(folders) == len(image.layers)
        self.since = since
        self.trees = {chain: describe(folder / "fs") for chain, folder in zip(chain_ids(image), folders)}

    def check(self, chain, folder):
        try:
            found = describe(folder)
        except FileNotFoundError:
            assert not folder.exists(), f"{folder} changes"
            return  # Collected meanwhile.
        assert differences(self.trees[chain], found, self.since) == [], f"half a layer: {folder}"


class Disk:
    """What the daemon has on disk for its snapshots."""

    def __init__(self, daemon):
        self.root = daemon.root / "snapshotter"

    def rows(self):
        """(name, kind, folder) of every snapshot."""
        file, = self.root.glob("*.db")
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10) as database:
            return database.execute("SELECT name, kind, folder FROM snapshots").fetchall()

    def committed(self):
        """{chain ID: folder of its files}"""
        chain = lambda name: next(part for part in name.split("/") if part.startswith("sha256:"))  # Who named it, knows.
        return {chain(name): self.root / "snapshots" / str(folder) / "fs"
                for name, kind, folder in self.rows() if kind == COMMITTED}

    def is_clean(self):
        """Every folder has its row and every row its folder; nothing is half made or waits to be deleted."""
        wanted = {self.root / "snapshots" / str(folder) for _, _, folder in self.rows()}
        return set(folders_below(self.root)) == wanted

    def not_taken(self):
        """Layers for which containerd did not wait: on offer for ten minutes, or until the daemon ends."""
        return list((self.root / "layers").iterdir())

    def inodes(self):
        """Of the snapshots, but for the empty work folders of layers that containerd unpacked by itself: it does so where the
        daemon was killed between the manifest, which it thereby forgot, and the layers."""
        below = (self.root / "snapshots").rglob("*")
        return sum(1 for path in below if not (path.name == "work" and path.parent.parent.name == "snapshots" and not any(path.iterdir())))

    def mounts(self):
        return [line for line in pathlib.Path("/proc/self/mounts").read_text().splitlines() if str(self.root) in line]


def try_to_pull(service, reference):
    try:
        service.pull(reference)
        return True
    except grpc.RpcError:
        return False  # The daemon has gone, or containerd has not found it again yet.


def remove_all(node, service, reference, disk):
    """The image, and what pulls that failed left to containerd's garbage collection."""
    def gone():
        try:
            service.remove(reference)
            node.containerd.collect_garbage()
        except (grpc.RpcError, AssertionError):
            return False
        return disk.rows() == [] and disk.is_clean()
    try:
        wait_until(gone, "nothing to be left of the image", 60, every=0.5)
    except TimeoutError as error:
        raise AssertionError(f"{error}: there is {disk.rows()}, {folders_below(disk.root)}") from None


@pytest.mark.one_version
def test_killed_at_random_points(make_node, version, closing, registry, tmp_path):
    image = DebianImage(ROOT / "build" / "bench" / "debian-small", SMALL)
    reference = registry.push(image, "killed-in-mid-unpack")
    since = time.time_ns() - 1_000_000_000
    plain = closing(Containerd(version, tmp_path / "plain")).start()
    truth = Truth(plain, reference, image, since)
    plain.close()

    node = make_node(settings={"snapshotter.enabled": True}, snapshotter=True, cri=True).start()
    service = closing(ImageService(node.containerd.address))
    disk = Disk(node.daemon)
    begin = time.monotonic()
    service.pull(reference)
    whole = time.monotonic() - begin
    wait_until(disk.is_clean, "the first pull to be done with its folders", 30)
    inodes = disk.inodes()
    remove_all(node, service, reference, disk)

    points = random.Random(SEED)
    for number in range(KILLS):
        pause = points.uniform(0, 1.1) * whole
        pull = threading.Thread(target=try_to_pull, args=(service, reference))
        pull.start()
        time.sleep(pause)
        node.daemon.kill()
        left = disk.committed()
        node.daemon.start()
        told = f"kill {number} of seed {SEED}, after {pause:.3f} s"
        for chain, folder in left.items():
            truth.check(chain, folder)
        pull.join()
        wait_until(lambda: try_to_pull(service, reference), f"a pull after {told}", 60)

        found = disk.committed()
        assert set(found) == set(truth.trees), told
        for chain, folder in found.items():
            truth.check(chain, folder)
        assert node.containerd.run_image(reference, namespace="k8s.io") == "hello from Debian\n"
        as_before = lambda: len(disk.rows()) == len(image.layers) and disk.is_clean() and disk.inodes() == inodes
        try:
            wait_until(as_before, f"the container's snapshot and what is of no use to be deleted, {told}", 30)
        except TimeoutError as late:
            raise AssertionError(f"{late}: {disk.rows()}, clean: {disk.is_clean()}, {disk.inodes()} inodes instead of {inodes}") from late
        assert disk.mounts() == [], told
        remove_all(node, service, reference, disk)

    node.daemon.kill()
    node.daemon.start()
    wait_until(lambda: disk.is_clean() and not disk.not_taken(), "a restart to remove what nobody took", 30)
    assert disk.rows() == []
