"""The daemon as containerd's differ: it unpacks what containerd's own snapshotter is to hold, and leaves the making of layers
to containerd."""

import re
import tarfile

import pytest

from harness.cri import ImageService
from harness.processes import run

SETTINGS = {"snapshotter.enabled": True, "snapshotter.unpack_ahead": False}


@pytest.fixture
def make_differ_node(make_node, version):
    if (version.major, version.minor) < (1, 7):
        pytest.skip("knows no proxy differ")
    return lambda **options: make_node(settings=SETTINGS, differ=True, **options).start()


def applied(node):
    """The layers that the daemon unpacked for containerd."""
    return set(re.findall(r"layer (sha256:[0-9a-f]+): applied to ", node.daemon.log()))


def test_ctr_pull(make_differ_node, push, way):
    pushed = push()
    node = make_differ_node()
    node.containerd.pull(pushed.reference, local=way == "local")
    pushed.assert_fetched_once_by_the_daemon()
    assert applied(node) == set(pushed.image.layer_digests)
    assert node.containerd.run_image(pushed.reference) == pushed.image.output


def test_cri_pull(make_differ_node, closing, push):
    pushed = push()
    node = make_differ_node(cri=True)
    closing(ImageService(node.containerd.address)).pull(pushed.reference)
    pushed.assert_fetched_once_by_the_daemon()
    assert applied(node) == set(pushed.image.layer_digests)
    assert node.containerd.run_image(pushed.reference, namespace="k8s.io") == pushed.image.output


def test_layers_unpacked_ahead_are_handed_over(make_node, version, closing, push):
    """To a client from its second pull on at the latest, and to CRI with containerd's own snapshotter."""
    if (version.major, version.minor) < (1, 7):
        pytest.skip("knows no proxy differ")
    first, second, third = push(), push(), push()
    node = make_node(settings={"snapshotter.enabled": True}, differ=True, cri=True).start()
    for pushed in (first, second):
        node.containerd.pull(pushed.reference, local=True)
        assert node.containerd.run_image(pushed.reference) == pushed.image.output
    closing(ImageService(node.containerd.address)).pull(third.reference)
    assert node.containerd.run_image(third.reference, namespace="k8s.io") == third.image.output
    handed_over = set(re.findall(r"layer (sha256:[0-9a-f]+): applied to [^,]+, unpacked ahead", node.daemon.log()))
    assert handed_over >= {*second.image.layer_digests, *third.image.layer_digests}


def test_what_the_daemon_does_not_take_containerd_unpacks(make_differ_node, push):
    """A native snapshot is a bind mount with all of the image in it, not a layer: not the daemon's."""
    pushed = push()
    node = make_differ_node()
    local = ["--local"] if node.version.has_transfer_service else []
    node.containerd.ctr("images", "pull", "--plain-http", "--hosts-dir", node.containerd.certs, *local,
                        "--snapshotter", "native", pushed.reference)
    assert applied(node) <= set(pushed.image.layer_digests[:1])
    printed = node.containerd.ctr("run", "--rm", "--snapshotter", "native", pushed.reference, "native").stdout
    assert printed == pushed.image.output


def test_layers_are_made_by_containerd(make_differ_node, push, tmp_path):
    pushed = push()
    node = make_differ_node()
    node.containerd.pull(pushed.reference)
    node.containerd.ctr("run", pushed.reference, "writer", "/bin/sh", "-c", "echo written > /data/new")
    run("sh", "-c", '"$0" --address "$1" snapshots diff writer > "$2"', node.version.bin / "ctr", node.containerd.address,
        tmp_path / "made")
    with tarfile.open(tmp_path / "made") as layer:
        assert layer.extractfile("data/new").read() == b"written\n"
    node.containerd.ctr("containers", "delete", "writer")
