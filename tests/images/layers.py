"""What an image in a docker-registry's storage folder is made of."""

import dataclasses
import gzip
import json
import tarfile


@dataclasses.dataclass(frozen=True)
class Layer:
    digest: str
    compressed: int    # bytes of the blob
    uncompressed: int  # bytes of its tar
    files: int         # entries of it that are no directories: files, links, whiteouts
    made_by: str


class _Counted:
    """A reader that knows how much has been read."""

    def __init__(self, file):
        self.file, self.count = file, 0

    def read(self, size=-1):
        data = self.file.read(size)
        self.count += len(data)
        return data


def blob_path(storage, digest):
    algorithm, name = digest.split(":")
    return storage / "docker" / "registry" / "v2" / "blobs" / algorithm / name[:2] / name / "data"


def _measure(path):
    """(bytes of the tar, entries that are no directories)"""
    with gzip.open(path) as unzipped:
        counted = _Counted(unzipped)
        with tarfile.open(fileobj=counted, mode="r|") as tar:
            files = sum(1 for entry in tar if not entry.isdir())
        while counted.read(1 << 20):
            pass
        return counted.count, files


def describe(storage, manifest_digest):
    """Layers, bottom first."""
    manifest = json.loads(blob_path(storage, manifest_digest).read_text())
    config = json.loads(blob_path(storage, manifest["config"]["digest"]).read_text())
    steps = [step.get("created_by", "") for step in config.get("history", []) if not step.get("empty_layer")]
    steps = steps if len(steps) == len(manifest["layers"]) else [""] * len(manifest["layers"])
    return [Layer(each["digest"], each["size"], *_measure(blob_path(storage, each["digest"])), step)
            for each, step in zip(manifest["layers"], steps)]
