"""`paceline prefetch --unpack`: the pull that comes later finds its layers unpacked, in any namespace, after any restart."""

import pytest

from harness.cri import ImageService

SETTINGS = {"snapshotter.enabled": True}


def kept(node):
    return node.daemon.cli_json("status")[0]["usage"]["unpacked_layers"]


def unpacked(node):
    return node.daemon.log().count(": unpacked")


@pytest.fixture
def prefetched(make_node, push):
    """A node that has fetched and unpacked an image, and whose daemon was started anew since."""
    def make(**options):
        pushed = push()
        node = make_node(settings=SETTINGS | options.pop("settings", {}), snapshotter=True, **options).start()
        done = node.daemon.cli_json("prefetch", "--unpack", pushed.reference)[-1]
        layers = len(pushed.image.layers)
        assert (done["state"], done["layers_unpacked"]) == ("done", layers)
        assert kept(node) == unpacked(node) == layers
        node.containerd.collect_garbage()
        node.daemon.stop()
        node.daemon.start()
        assert kept(node) == layers
        return node, pushed
    return make


def test_a_cri_pull_finds_all_layers(prefetched, closing):
    node, pushed = prefetched(cri=True)
    closing(ImageService(node.containerd.address)).pull(pushed.reference)
    pushed.assert_fetched_once_by_the_daemon()
    assert (kept(node), unpacked(node)) == (0, len(pushed.image.layers))
    listed = node.containerd.ctr("content", "list", "--quiet", namespace="k8s.io").stdout
    assert not [digest for digest in pushed.image.layer_digests if digest in listed]
    assert node.containerd.run_image(pushed.reference, namespace="k8s.io") == pushed.image.output


def test_a_transfer_pull_finds_all_layers(prefetched, version):
    if not version.has_transfer_service:
        pytest.skip("unpacks in the client")
    node, pushed = prefetched()
    for namespace in ("default", "other"):
        node.containerd.pull(pushed.reference, namespace=namespace)
        assert node.containerd.run_image(pushed.reference, namespace=namespace) == pushed.image.output
    pushed.assert_fetched_once_by_the_daemon()
    assert (kept(node), unpacked(node)) == (0, len(pushed.image.layers))


@pytest.mark.one_version
def test_eviction(prefetched):
    node, pushed = prefetched()
    assert node.daemon.cli_json("evict", "--all")[0]["evicted_layers"] == len(pushed.image.layers)
    assert kept(node) == 0
    assert list((node.daemon.root / "snapshotter" / "prefetched").iterdir()) == []


@pytest.mark.one_version
def test_without_a_snapshotter_it_says_so(pacelined, push):
    done = pacelined.cli("prefetch", "--unpack", push().reference, check=False)
    assert done.returncode != 0
    assert "[snapshotter]" in done.stdout + done.stderr


@pytest.mark.one_version
def test_blobs_may_go_with_the_layers_taken(prefetched, closing):
    node, pushed = prefetched(cri=True, settings={"snapshotter.discard_unpacked_blobs": True})
    service = closing(ImageService(node.containerd.address))
    service.pull(pushed.reference)
    stored = {blob["digest"] for blob in node.daemon.cli_json("blobs")}
    assert not stored & set(pushed.image.layer_digests)
    service.pull(pushed.reference)  # As with imagePullPolicy Always: nothing is fetched again.
    pushed.assert_fetched_once_by_the_daemon()
    assert node.containerd.run_image(pushed.reference, namespace="k8s.io") == pushed.image.output
