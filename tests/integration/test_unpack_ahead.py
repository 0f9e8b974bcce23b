"""Layers that the daemon unpacks while it fetches them: containerd takes them as they are, and they are what it would have made
itself."""

import contextlib
import sqlite3
import time

import pytest

from harness import images, trees
from harness.cri import ImageService
from harness.slow_link import SlowLink

SIZES = (300_000, 2_000_000, 100_000)


def layers_of(node):
    """Bottom first."""
    return sorted((node.daemon.root / "snapshotter" / "snapshots").glob("*/fs"), key=lambda path: int(path.parent.name))


def taken(node):
    """How many layers the daemon has unpacked."""
    return node.daemon.log().count(": unpacked")


def left_over(node):
    return list((node.daemon.root / "snapshotter" / "layers").iterdir())


def test_cri_pull_finds_its_layers_unpacked(make_node, closing, push):
    pushed = push(sizes=SIZES)
    node = make_node(settings={"snapshotter.enabled": True}, snapshotter=True, cri=True).start()
    service = closing(ImageService(node.containerd.address))
    service.pull(pushed.reference)
    pushed.assert_fetched_once_by_the_daemon()
    assert taken(node) == len(pushed.image.layers)
    # All were taken, and containerd wrote none of their blobs: it did not fetch them to unpack them.
    assert left_over(node) == []
    listed = node.containerd.ctr("content", "list", "--quiet", namespace="k8s.io").stdout
    assert not [layer.digest for layer in pushed.image.layers if layer.digest in listed]
    assert node.containerd.run_image(pushed.reference, namespace="k8s.io") == pushed.image.output


def unpacked_by_containerd(node):
    with contextlib.closing(sqlite3.connect(node.daemon.root / "snapshotter" / "snapshots.db")) as database:
        return database.execute("SELECT name FROM snapshots WHERE layer IS NULL").fetchall()


@pytest.mark.parametrize("by", ["cri", "transfer"])
def test_layers_that_take_longer_than_a_prepare_may(make_node, version, closing, registry, push, by):
    """Every layer is unpacked once all the same, by the daemon."""
    if by == "transfer" and not version.has_transfer_service:
        pytest.skip("unpacks in the client")
    link = closing(SlowLink(registry.host, 2 * images.MIB))
    pushed = push(host=link.host, sizes=(8_000_000, 6_000_000, 100_000))
    node = make_node(settings={"snapshotter.enabled": True}, snapshotter=True, cri=by == "cri").start()
    if by == "cri":
        closing(ImageService(node.containerd.address)).pull(pushed.reference)
    else:
        node.containerd.pull(pushed.reference)
    assert taken(node) == len(pushed.image.layers)
    assert left_over(node) == []
    assert unpacked_by_containerd(node) == []


def test_transfer_pull_finds_its_layers_unpacked(make_node, version, push):
    if version.major < 2:
        pytest.skip("unpacks in the client")
    pushed = push(sizes=SIZES)
    node = make_node(settings={"snapshotter.enabled": True}, snapshotter=True).start()
    node.containerd.pull(pushed.reference)
    pushed.assert_fetched_once_by_the_daemon()
    assert left_over(node) == []
    assert node.containerd.run_image(pushed.reference) == pushed.image.output


def pull_by_a_client(node, reference, namespace, snapshotter):
    """`ctr` fetches, and then unpacks: it asks for no layers."""
    local = ["--local"] if node.version.has_transfer_service else []
    node.containerd.ctr("images", "pull", "--plain-http", "--hosts-dir", node.containerd.certs, *local,
                        "--snapshotter", snapshotter, reference, namespace=namespace)


@pytest.mark.parametrize("namespace, snapshotter", [("default", "paceline"), ("k8s.io", "overlayfs")])
def test_layers_only_for_those_who_take_them(make_node, closing, push, namespace, snapshotter):
    """Also when all blobs are here, of containerd's own namespace even, so that it asks for nothing but the tag."""
    pushed = push(sizes=SIZES)
    node = make_node(settings={"snapshotter.enabled": True}, snapshotter=True, cri=True).start()
    pull_by_a_client(node, pushed.reference, namespace, snapshotter)
    pushed.assert_fetched_once_by_the_daemon()
    if node.version.major < 2:  # Later ones name the namespace for their clients, too: that they take none is learnt.
        assert taken(node) == 0
    closing(ImageService(node.containerd.address)).pull(pushed.reference)
    pushed.assert_fetched_once_by_the_daemon()
    assert taken(node) == len(pushed.image.layers)
    assert left_over(node) == []
    assert node.containerd.run_image(pushed.reference, namespace="k8s.io") == pushed.image.output


def test_the_same_files_as_containerd_makes(make_node, closing, push):
    pushed = push(sizes=SIZES)
    since = time.time_ns()
    node = make_node(settings={"snapshotter.enabled": True}, snapshotter=True, cri=True).start()
    closing(ImageService(node.containerd.address)).pull(pushed.reference)
    ours = layers_of(node)
    pull_by_a_client(node, pushed.reference, "default", "overlayfs")
    own = sorted((node.containerd.root / "io.containerd.snapshotter.v1.overlayfs" / "snapshots").iterdir(),
                 key=lambda path: int(path.name))
    assert len(ours) == len(own) == len(pushed.image.layers)
    for mine, theirs in zip(ours, own):
        assert trees.differences(trees.describe(theirs / "fs"), trees.describe(mine), since) == []
