"""Leaving files out of a layer: hard links and everything else stay what they were."""

import gzip
import io
import tarfile

from harness.images import Layer, digest_of
from model.shapes import SHAPES, make_layer
from model.slim import without
from model.validate import quantile


def layer_of(*entries):
    """entries: (name, type, content or link)"""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, kind, value in entries:
            entry = tarfile.TarInfo(name)
            entry.type = kind
            if kind == tarfile.REGTYPE:
                entry.size = len(value)
                tar.addfile(entry, io.BytesIO(value))
            else:
                entry.linkname = value
                tar.addfile(entry)
    return Layer(gzip.compress(buffer.getvalue()), digest_of(buffer.getvalue()))


def contents(layer):
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer.data))) as tar:
        return {entry.name: tar.extractfile(entry).read() if entry.isreg() or entry.islnk() else entry.linkname for entry in tar}


def test_files_and_links_stay():
    file, hard, soft = tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE
    layer = layer_of(("./a", file, b"one"), ("b", hard, "./a"), ("c", hard, "a"), ("d", soft, "a"), ("e", file, b"two"))
    assert contents(without(layer, {"e"})) == {"./a": b"one", "b": b"one", "c": b"one", "d": "a"}
    # The file itself goes: its links share what it had.
    assert contents(without(layer, {"a", "d"})) == {"b": b"one", "c": b"one", "e": b"two"}


def test_layers_are_the_same_each_time():
    part = SHAPES[1].parts[2]
    assert make_layer(part, 0, "seed").digest == make_layer(part, 0, "seed").digest
    assert quantile([3, 1, 2], 0.5) == 2
