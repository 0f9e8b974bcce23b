"""An image without what `paceline analyze` calls waste: the files it names are left out of the layers that bring them."""

import gzip
import io
import json
import tarfile

from harness.images import Layer, digest_of, image_of
from harness.processes import run

from . import BIN


def advised(layout, *options):
    """What `analyze --files` says of it."""
    said = run(BIN / "paceline", "--address", "/nonexistent.sock", "--output", "json", "analyze", "--files", *options, layout, timeout=900)
    return json.loads(said.stdout)


def without(layer, names):
    """The layer without entries of these names, and without whiteouts of nothing that is left."""
    source = io.BytesIO(gzip.decompress(layer.data))
    out = io.BytesIO()
    with tarfile.open(fileobj=source) as old, tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as new:
        moved = {}  # Of a file that goes → its first hard link that stays, which becomes the file.
        for entry in old:
            name = entry.name.removeprefix("./").strip("/")
            if entry.islnk():
                target = entry.linkname.removeprefix("./").strip("/")
                if name in names:
                    continue
                if target in names and target not in moved:
                    moved[target] = entry.name
                    content = old.extractfile(entry)
                    entry.type, entry.linkname = tarfile.REGTYPE, ""
                    data = content.read()
                    entry.size = len(data)
                    new.addfile(entry, io.BytesIO(data))
                    continue
                entry.linkname = moved.get(target, entry.linkname)
                new.addfile(entry)
            elif name not in names:
                new.addfile(entry, old.extractfile(entry) if entry.isreg() else None)
    raw = out.getvalue()
    return Layer(gzip.compress(raw, compresslevel=6, mtime=0), digest_of(raw))


def slim(image, said):
    """`said`: of advised(). Folders and whiteouts stay: they cost nothing worth speaking of."""
    layers = []
    for number, layer in enumerate(image.layers):
        names = {path for by_layer in said["waste_files"].values() for path in by_layer[number]}
        layers.append(without(layer, names) if names else layer)
    return image_of(f"{image.name}-slim", layers)
