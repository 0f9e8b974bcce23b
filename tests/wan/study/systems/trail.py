"""What the stream controller decided during a pull, asked of the daemon's own API now and then."""

import contextlib
import functools
import importlib
import pathlib
import sys
import tempfile

import grpc

from harness.processes import run

from .. import ROOT


@functools.lru_cache(maxsize=None)
def _messages():
    """paceline.proto's Python classes, generated once a run."""
    proto = ROOT / "proto"
    with tempfile.TemporaryDirectory() as out:
        run("protoc", f"--proto_path={proto}", f"--python_out={out}", proto / "paceline" / "v1" / "paceline.proto")
        sys.path.insert(0, str(pathlib.Path(out) / "paceline" / "v1"))
        try:
            return importlib.import_module("paceline_pb2")
        finally:
            sys.path.pop(0)


def prepare():
    """Generates the classes before threads need them."""
    _messages()


class Trail:
    def __init__(self, channel):
        messages = _messages()
        self._request = messages.GetPathsRequest()
        self._call = channel.unary_unary("/paceline.v1.Paceline/GetPaths", type(self._request).SerializeToString,
                                         messages.GetPathsResponse.FromString)
        self.steps = []  # (second, mode, reason, streams allowed), only when one of the last three changed
        self.path = None

    def look(self, second):
        try:
            paths = self._call(self._request, timeout=2).paths
        except grpc.RpcError:
            return  # A look more or less changes nothing.
        if not paths:
            return
        self.path = max(paths, key=lambda path: path.fetched_bytes)
        step = (self.path.mode, self.path.reason, self.path.stream_limit)
        if not self.steps or self.steps[-1][1:] != step:
            self.steps.append((round(second, 2), *step))

    @property
    def limit(self):
        return self.path.stream_limit if self.path else None

    def extra(self):
        if self.path is None:
            return {}
        return {"path_rtt_ms": round(self.path.rtt_ms, 2), "path_best_mbps": round(self.path.best_bytes_per_second * 8e-6, 2),
                "mode": self.path.mode, "reason": self.path.reason, "requests": self.path.requests, "retries": self.path.retries,
                "throttled": self.path.throttled,
                "trail": " ".join(f"{at}:{mode}/{reason}={limit}" for at, mode, reason, limit in self.steps)}


@contextlib.contextmanager
def following(address):
    with grpc.insecure_channel(f"unix:{address}") as channel:
        yield Trail(channel)
