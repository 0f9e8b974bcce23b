"""The snapshotter behind a real containerd: images unpack into it, containers run from it, the collection frees its space;
and layers that are unpacked already are taken instead of being fetched."""

import pytest

from harness.containerd import Containerd
from harness.cri import ImageService
from harness.snapshots import SnapshotServer, Snapshots, chain_ids, folders_below, unpack


@pytest.fixture
def snapshot_node(make_node):
    return make_node(settings={"snapshotter.enabled": True}, snapshotter=True).start()


def snapshots_of(node):
    return folders_below(node.daemon.root / "snapshotter")


@pytest.mark.sanitized
def test_pull_run_and_remove(snapshot_node, push, way):
    node, pushed = snapshot_node, push()
    node.containerd.pull(pushed.reference, local=way == "local")
    pushed.assert_fetched_once_by_the_daemon()
    assert len(snapshots_of(node)) == len(pushed.image.layers)
    assert node.containerd.run_image(pushed.reference) == pushed.image.output
    node.containerd.remove(pushed.reference)
    assert snapshots_of(node) == []


def test_cri_pull(make_node, closing, push):
    pushed = push()
    node = make_node(settings={"snapshotter.enabled": True}, snapshotter=True, cri=True).start()
    service = closing(ImageService(node.containerd.address))
    service.pull(pushed.reference)
    pushed.assert_fetched_once_by_the_daemon()
    assert len(snapshots_of(node)) == len(pushed.image.layers)
    assert node.containerd.run_image(pushed.reference, namespace="k8s.io") == pushed.image.output
    service.remove(pushed.reference)
    node.containerd.collect_garbage()
    assert snapshots_of(node) == []


def test_what_a_container_writes_can_be_committed_and_survives_restarts(snapshot_node, push):
    node, pushed = snapshot_node, push()
    ctr = node.containerd.ctr
    node.containerd.pull(pushed.reference)
    ctr("run", "--snapshotter", "paceline", pushed.reference, "writer", "/bin/sh", "-c", "echo written > /data/new")
    ctr("snapshots", "--snapshotter", "paceline", "commit", "what-it-wrote", "writer")
    ctr("containers", "delete", "--keep-snapshot", "writer")
    for process in (node.daemon, node.containerd):
        process.stop()
        process.start()
    assert node.containerd.run_image(pushed.reference) == pushed.image.output
    written = [folder for folder in snapshots_of(node) if (folder / "fs/data/new").exists()]
    assert [(folder / "fs/data/new").read_text() for folder in written] == ["written\n"]
    ctr("snapshots", "--snapshotter", "paceline", "remove", "what-it-wrote")
    node.containerd.remove(pushed.reference)
    assert snapshots_of(node) == []


# ---- layers that are unpacked already (containerd-side remote snapshots)

class Remote:
    def __init__(self, directory, version, closing, cri=False):
        self.server = closing(SnapshotServer(directory / "snapshots")).start()
        self.containerd = closing(Containerd(version, directory / "containerd", snapshotter=self.server.address, cri=cri))
        self.containerd.start()

    def unpack(self, image):
        for layer, chain_id in zip(image.layers, chain_ids(image)):
            unpack(layer, self.server.layers / chain_id)


def test_cri_takes_unpacked_layers_instead_of_fetching_them(tmp_path, version, closing, push):
    pushed = push()
    remote = Remote(tmp_path, version, closing, cri=True)
    remote.unpack(pushed.image)
    service = closing(ImageService(remote.containerd.address))
    service.pull(pushed.reference)
    assert pushed.layer_requests() == ([], [])
    assert len(folders_below(remote.server.root)) == len(pushed.image.layers)
    assert remote.containerd.run_image(pushed.reference, namespace="k8s.io") == pushed.image.output
    service.remove(pushed.reference)
    remote.containerd.collect_garbage()
    assert folders_below(remote.server.root) == []


def test_cri_fetches_only_what_is_not_unpacked(tmp_path, version, closing, push):
    pushed = push()
    remote = Remote(tmp_path, version, closing, cri=True)
    for layer, chain_id in list(zip(pushed.image.layers, chain_ids(pushed.image)))[:2]:
        unpack(layer, remote.server.layers / chain_id)
    closing(ImageService(remote.containerd.address)).pull(pushed.reference)
    fetched = {request.path.rsplit("/", 1)[-1] for request in pushed.layer_requests()[1]}
    assert fetched == set(pushed.image.layer_digests[2:])
    assert remote.containerd.run_image(pushed.reference, namespace="k8s.io") == pushed.image.output


def test_namespaces_share_unpacked_layers(tmp_path, version, closing, push):
    """Through containerd's own metadata: what it asks after ALREADY_EXISTS, and what it removes later."""
    image = push().image
    remote = Remote(tmp_path, version, closing)
    remote.unpack(image)
    chain = chain_ids(image)
    for namespace in ("one", "two"):
        snapshots = closing(Snapshots(remote.containerd.address, namespace))
        for i, chain_id in enumerate(chain):
            assert snapshots.prepare(f"extract {i}", chain[i - 1] if i else "", layer=chain_id)
            assert snapshots.stat(chain_id).parent == (chain[i - 1] if i else "")
    backend = closing(Snapshots(remote.server.address))
    assert sorted(name.split("/")[0] for name in backend.list()) == sorted(chain)

    # A namespace with a base of its own gets a snapshot of its own, and the same files.
    third = closing(Snapshots(remote.containerd.address, "three"))
    assert not third.prepare("base key")
    third.commit(chain[0], "base key")
    assert third.prepare("extract 1", chain[0], layer=chain[1])
    assert len(backend.list()) == len(chain) + 2
    assert len(folders_below(remote.server.root)) == len(chain) + 1

    for namespace, names in (("one", chain), ("two", chain), ("three", chain[:2])):
        snapshots = closing(Snapshots(remote.containerd.address, namespace))
        for name in reversed(names):
            snapshots.remove(name)
        remote.containerd.collect_garbage()
        assert bool(folders_below(remote.server.root)) == (namespace != "three")
