"""A CRI image client: what the kubelet asks of containerd when it pulls."""

import importlib
import pathlib
import sys
import tempfile

import grpc

from .processes import run

_generated = None


def _messages():
    """cri.proto's Python classes, generated once a session."""
    global _generated
    if _generated is None:
        here = pathlib.Path(__file__).parent
        with tempfile.TemporaryDirectory() as out:
            run("protoc", f"--proto_path={here}", f"--python_out={out}", here / "cri.proto")
            sys.path.insert(0, out)
            try:
                _generated = importlib.import_module("cri_pb2")
            finally:
                sys.path.remove(out)
    return _generated


class ImageService:
    def __init__(self, address):
        self.channel = grpc.insecure_channel(f"unix:{address}")

    def close(self):
        self.channel.close()

    def _call(self, method, request, timeout=120):
        answer = getattr(_messages(), method + "Response")
        call = self.channel.unary_unary(f"/runtime.v1.ImageService/{method}", type(request).SerializeToString, answer.FromString)
        return call(request, timeout=timeout, wait_for_ready=True)

    def pull(self, reference, user=None, password=None, timeout=120):
        """Returns the image's ID."""
        request = _messages().PullImageRequest()
        request.image.image = reference
        if user:
            request.auth.username, request.auth.password = user, password
        return self._call("PullImage", request, timeout).image_ref

    def list(self):
        return [tag for image in self._call("ListImages", _messages().ListImagesRequest()).images for tag in image.repo_tags]

    def remove(self, reference):
        request = _messages().RemoveImageRequest()
        request.image.image = reference
        self._call("RemoveImage", request)
