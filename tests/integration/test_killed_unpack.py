"""The daemon is killed at random points of an unpacking pull: after each restart nothing half-made is to be seen, at the end nothing
is left over, and the image is whole.

PACELINE_KILLS: how often (5).
"""

import os
import random
import sqlite3
import threading
import time

import grpc
import pytest

from harness.cri import ImageService
from harness.processes import wait_until

KILLS = int(os.environ.get("PACELINE_KILLS", 5))
SIZES = (12_000_000, 3_000_000, 200_000, 8_000_000)
COMMITTED = 3  # containerd's number for the kind


class Snapshots:
    """What is on disk of the snapshotter."""

    def __init__(self, node):
        self.root = node.daemon.root / "snapshotter"

    def rows(self):
        """(folder, kind) of all snapshots."""
        database, = self.root.glob("*.db")
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            return connection.execute("SELECT folder, kind FROM snapshots").fetchall()

    def folders(self):
        return {int(path.name) for path in (self.root / "snapshots").iterdir() if path.name.isdigit()}

    def bytes_of(self, folder):
        tree = self.root / "snapshots" / str(folder) / "fs"
        return sum(path.lstat().st_size for path in tree.rglob("*") if path.is_file() and not path.is_symlink())

    def unfinished(self):
        return list((self.root / "layers").iterdir())

    def mounts(self):
        with open("/proc/self/mounts") as lines:
            return [line for line in lines if str(self.root) in line]


def try_to_pull(service, reference):
    try:
        service.pull(reference)
        return True
    except grpc.RpcError:
        return False  # The daemon has gone, or containerd has not found it again yet.


@pytest.mark.one_version
def test_killed_at_random_points(make_node, closing, push):
    chance = random.Random(42)
    node = make_node(settings={"snapshotter.enabled": True}, snapshotter=True, cri=True).start()
    service = closing(ImageService(node.containerd.address))
    snapshots = Snapshots(node)

    unharmed = push(sizes=SIZES)
    begin = time.monotonic()
    service.pull(unharmed.reference)
    length = time.monotonic() - begin
    whole = {snapshots.bytes_of(folder) for folder, kind in snapshots.rows() if kind == COMMITTED}
    assert len(whole) == len(unharmed.image.layers)
    service.remove(unharmed.reference)

    def check():
        """Each layer that can be seen has all its bytes; the daemon has removed at its start what it did not finish."""
        rows = snapshots.rows()
        for folder, kind in rows:
            if kind == COMMITTED:
                # The names in the first layer differ from image to image, and with them a few bytes.
                size = snapshots.bytes_of(folder)
                assert any(abs(size - known) < 256 for known in whole), f"folder {folder} holds {size} bytes of {whole}"
        assert {folder for folder, _ in rows} <= snapshots.folders()
        assert snapshots.mounts() == []

    kills = 0
    while kills < KILLS:
        pushed = push(sizes=SIZES)
        for _ in range(5):
            pull = threading.Thread(target=try_to_pull, args=(service, pushed.reference))
            pull.start()
            time.sleep(chance.uniform(0, length))
            node.daemon.kill()
            kills += 1
            check()
            node.daemon.start()
            check()
            pull.join()
        wait_until(lambda: try_to_pull(service, pushed.reference), "a pull after the last restart", seconds=60)
        assert node.containerd.run_image(pushed.reference, namespace="k8s.io") == pushed.image.output
        service.remove(pushed.reference)

    node.containerd.collect_garbage()
    wait_until(lambda: not snapshots.rows() and not snapshots.folders() and not snapshots.unfinished(),
               "the removed images' snapshots to go", seconds=60)
