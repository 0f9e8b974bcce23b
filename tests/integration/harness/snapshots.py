"""Snapshots: a client of the API (of containerd, or of a snapshotter behind it), layers unpacked by hand, and a server of
the snapshots service alone, which takes such layers."""

import gzip
import hashlib
import importlib
import io
import os
import pathlib
import stat
import sys
import tarfile
import tempfile
import uuid

import grpc

from .pacelined import BIN
from .processes import Process, run
from .versions import ROOT

NAME = "paceline"
LAYER_LABEL = "containerd.io/snapshot.ref"
KEEP = {"containerd.io/gc.root": "test"}  # Or containerd collects what neither an image nor a container uses.
_generated = None


def _messages():
    """The Python classes of containerd's protos, generated once a session."""
    global _generated
    if _generated is None:
        protos = ["containerd/services/snapshots/v1/snapshots.proto", "containerd/types/mount.proto"]
        with tempfile.TemporaryDirectory() as out:
            run("protoc", f"--proto_path={ROOT / 'proto'}", f"--python_out={out}", *protos)
            sys.path.insert(0, out)
            try:
                _generated = importlib.import_module("containerd.services.snapshots.v1.snapshots_pb2")
            finally:
                sys.path.remove(out)
    return _generated


class Snapshots:
    def __init__(self, address, namespace="default"):
        self.channel = grpc.insecure_channel(f"unix:{address}")
        self.namespace = namespace

    def close(self):
        self.channel.close()

    def _call(self, method, request, answer):
        path = f"/containerd.services.snapshots.v1.Snapshots/{method}"
        call = self.channel.unary_unary(path, type(request).SerializeToString, answer)
        return call(request, timeout=60, wait_for_ready=True, metadata=[("containerd-namespace", self.namespace)])

    def prepare(self, key, parent="", layer=None):
        """True when the snapshotter says that it has the layer."""
        labels = KEEP | ({LAYER_LABEL: layer} if layer else {})
        request = _messages().PrepareSnapshotRequest(snapshotter=NAME, key=key, parent=parent, labels=labels)
        try:
            self._call("Prepare", request, _messages().PrepareSnapshotResponse.FromString)
            return False
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.ALREADY_EXISTS:
                raise
            return True

    def commit(self, name, key):
        self._call("Commit", _messages().CommitSnapshotRequest(snapshotter=NAME, name=name, key=key, labels=KEEP), bytes)

    def remove(self, key):
        self._call("Remove", _messages().RemoveSnapshotRequest(snapshotter=NAME, key=key), bytes)

    def stat(self, key):
        request = _messages().StatSnapshotRequest(snapshotter=NAME, key=key)
        return self._call("Stat", request, _messages().StatSnapshotResponse.FromString).info

    def list(self):
        request = _messages().ListSnapshotsRequest(snapshotter=NAME)
        call = self.channel.unary_stream("/containerd.services.snapshots.v1.Snapshots/List",
                                         type(request).SerializeToString, _messages().ListSnapshotsResponse.FromString)
        pages = call(request, timeout=60, wait_for_ready=True, metadata=[("containerd-namespace", self.namespace)])
        return {info.name: info for page in pages for info in page.info}


def chain_ids(image):
    """Of the image's layers, from the lowest."""
    chain = []
    for layer in image.layers:
        below = f"{chain[-1]} {layer.diff_id}" if chain else None
        chain.append("sha256:" + hashlib.sha256(below.encode()).hexdigest() if below else layer.diff_id)
    return chain


def unpack(layer, folder):
    """In overlayfs form: a whiteout becomes a character device 0/0."""
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer.data))) as tar:
        tar.extractall(folder)
    folder.chmod(0o755)
    for marker in list(folder.rglob(".wh.*")):
        marker.unlink()
        os.mknod(marker.with_name(marker.name.removeprefix(".wh.")), stat.S_IFCHR, os.makedev(0, 0))


def folders_below(root):
    """The folders of all snapshots, and what waits to be deleted."""
    return sorted(path for part in ("snapshots", "new", "removed") for path in (pathlib.Path(root) / part).iterdir())


class SnapshotServer:
    """Its layers lie in `layers`, each unpacked under its chain ID."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.root, self.layers = self.directory / "root", self.directory / "layers"
        self.layers.mkdir(parents=True)
        self.run_dir = pathlib.Path("/run") / f"paceline-test-{uuid.uuid4().hex[:8]}"
        self.address = self.run_dir / "snapshots.sock"
        self.process = None

    def start(self):
        self.run_dir.mkdir(mode=0o700, exist_ok=True)
        self.address.unlink(missing_ok=True)
        self.process = Process([BIN / "snapshot_server", self.root, self.address, self.layers], self.directory / "server.log")
        self.process.wait_until(self.address.exists, "the snapshot server to serve")
        return self

    def stop(self):
        if self.process:
            code = self.process.stop(30)
            self.process = None
            assert code == 0, f"snapshot_server ended with {code}"

    def close(self):
        try:
            self.stop()
        finally:
            self.address.unlink(missing_ok=True)
            self.run_dir.rmdir()
