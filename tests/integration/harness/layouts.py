"""OCI layouts: an image written as one, and read again."""

import gzip
import hashlib
import json
import pathlib

from .images import OCI, Image, Layer, digest_of


def write(image, folder):
    folder = pathlib.Path(folder)
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    for data in [*image.blobs.values(), image.manifest]:
        (blobs / hashlib.sha256(data).hexdigest()).write_bytes(data)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [
        {"mediaType": OCI["manifest"], "digest": image.digest, "size": len(image.manifest)}]}))
    return folder


def read(folder, name):
    """The first image of a layout. Its layers are gzipped, or become so."""
    blob = lambda digest: (pathlib.Path(folder) / "blobs" / digest.replace(":", "/")).read_bytes()
    index = json.loads((pathlib.Path(folder) / "index.json").read_text())
    manifest_bytes = blob(index["manifests"][0]["digest"])
    manifest = json.loads(manifest_bytes)
    config = blob(manifest["config"]["digest"])
    diff_ids = json.loads(config)["rootfs"]["diff_ids"]
    layers = []
    for layer, diff_id in zip(manifest["layers"], diff_ids, strict=True):
        data = blob(layer["digest"])
        layers.append(Layer(data if data[:2] == b"\x1f\x8b" else gzip.compress(data, 6, mtime=0), diff_id))
    return Image(name, layers, config, [(manifest["mediaType"], manifest_bytes)], "") \
        if [digest_of(layer.data) for layer in layers] == [layer["digest"] for layer in manifest["layers"]] else None
