"""Real images, made on the spot: a static busybox, layers of incompressible data, whiteouts.

Run, an image prints `hello from NAME` and then the SHA-256 of each data file, so that a container's output proves every
byte of every layer and every whiteout.
"""

import dataclasses
import gzip
import hashlib
import io
import json
import random
import tarfile

OCI = {
    "manifest": "application/vnd.oci.image.manifest.v1+json",
    "index": "application/vnd.oci.image.index.v1+json",
    "config": "application/vnd.oci.image.config.v1+json",
    "layer": "application/vnd.oci.image.layer.v1.tar+gzip",
}
DOCKER = {
    "manifest": "application/vnd.docker.distribution.manifest.v2+json",
    "index": "application/vnd.docker.distribution.manifest.list.v2+json",
    "config": "application/vnd.docker.container.image.v1+json",
    "layer": "application/vnd.docker.image.rootfs.diff.tar.gzip",
}
BUSYBOX = "/bin/busybox"
KIB, MIB = 1024, 1024 * 1024


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclasses.dataclass
class Layer:
    data: bytes
    diff_id: str

    @property
    def digest(self):
        return digest_of(self.data)


@dataclasses.dataclass
class Image:
    """An image as a registry holds it. `manifests` has the top one last; `output` is what its container prints."""
    name: str
    layers: list
    config: bytes
    manifests: list  # [(media type, bytes)]
    output: str
    foreign_blobs: list = dataclasses.field(default_factory=list)  # Config and layers for another platform.

    @property
    def manifest(self):
        return self.manifests[-1][1]

    @property
    def media_type(self):
        return self.manifests[-1][0]

    @property
    def digest(self):
        return digest_of(self.manifest)

    @property
    def blobs(self):
        """Configs and layers: digest → bytes."""
        everything = [self.config] + [layer.data for layer in self.layers] + self.foreign_blobs
        return {digest_of(data): data for data in everything}

    @property
    def layer_digests(self):
        return [layer.digest for layer in self.layers]

    @property
    def layer_bytes(self):
        return sum(len(layer.data) for layer in self.layers)


def _layer(files):
    """A gzipped tar of {path: bytes | "-> target"}; byte for byte the same each time."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        seen = set()
        for path, content in files.items():
            parents = path.split("/")[:-1]
            for depth in range(1, len(parents) + 1):
                parent = "/".join(parents[:depth])
                if parent not in seen:
                    seen.add(parent)
                    entry = tarfile.TarInfo(parent)
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(entry)
            entry = tarfile.TarInfo(path)
            entry.mode = 0o755
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content.removeprefix("-> ")
                tar.addfile(entry)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    tarred = raw.getvalue()
    return Layer(gzip.compress(tarred, compresslevel=1, mtime=0), digest_of(tarred))


def _json(value):
    return json.dumps(value, separators=(",", ":")).encode()


def image_of(name, layers):
    """An image of just these layers, gzipped or not. It runs nothing."""
    config = _json({"architecture": "amd64", "os": "linux", "config": {},
                    "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
                    "history": [{"created_by": f"layer {number}"} for number in range(len(layers))]})
    manifest = _json({
        "schemaVersion": 2, "mediaType": OCI["manifest"],
        "config": {"mediaType": OCI["config"], "digest": digest_of(config), "size": len(config)},
        "layers": [{"mediaType": OCI["layer"] if layer.data[:2] == b"\x1f\x8b" else OCI["layer"].split("+")[0],
                    "digest": layer.digest, "size": len(layer.data)} for layer in layers]})
    return Image(name, layers, config, [(OCI["manifest"], manifest)], "")


def small_files(count):
    """A layer of that many files of some bytes: a small blob, and much to unpack."""
    return _layer({f"small/{number // 500}/{number}": b"%d\n" % number for number in range(count)})


def make_image(name, sizes=(300 * KIB, 200 * KIB, 100 * KIB), kind=OCI, architecture="amd64", index=False, base=True, more=()):
    """An image with a base layer (busybox and a script) and one layer of about sizes[i] bytes for each size.

    Its bytes depend on `name` and the other arguments only. `index` puts it behind an index that offers other platforms.
    Without `base` it has the sized layers only and cannot run. `more`: layers on top, with nothing in data/.
    """
    noise = random.Random(name)
    script = f"#!/bin/sh\necho hello from {name}\ncd /data\nsha256sum *\n"
    with open(BUSYBOX, "rb") as file:
        busybox = file.read()
    files = {"bin/busybox": busybox, "bin/paceline-test": script.encode(), "data/from-base": name.encode()}
    files |= {f"bin/{tool}": "-> busybox" for tool in ("sh", "echo", "sha256sum", "sleep", "cat")}
    layers = [_layer(files)] if base else []
    expected = {"from-base": hashlib.sha256(name.encode()).hexdigest()}
    for i, size in enumerate(sizes):
        content = noise.randbytes(size)
        files = {f"data/layer-{i}": content, f"data/short-lived-{i}": b"gone in the next layer"}
        if i > 0:
            files[f"data/.wh.short-lived-{i - 1}"] = b""
        layers.append(_layer(files))
        expected[f"layer-{i}"] = hashlib.sha256(content).hexdigest()
    layers += more
    if sizes:
        expected[f"short-lived-{len(sizes) - 1}"] = hashlib.sha256(b"gone in the next layer").hexdigest()
    output = f"hello from {name}\n" + "".join(f"{expected[file]}  {file}\n" for file in sorted(expected))

    def describe(machine, its_layers):
        config = _json({
            "architecture": machine, "os": "linux",
            "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/paceline-test"]},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in its_layers]},
            "history": [{"created_by": f"layer {i}"} for i in range(len(its_layers))],
        })
        manifest = _json({
            "schemaVersion": 2, "mediaType": kind["manifest"],
            "config": {"mediaType": kind["config"], "digest": digest_of(config), "size": len(config)},
            "layers": [{"mediaType": kind["layer"], "digest": layer.digest, "size": len(layer.data)}
                       for layer in its_layers],
        })
        return config, manifest

    config, manifest = describe(architecture, layers)
    image = Image(name, layers, config, [(kind["manifest"], manifest)], output)
    if index:
        foreign_layer = _layer({"data/foreign": f"{name} elsewhere".encode()})
        foreign_config, foreign_manifest = describe("s390x", [foreign_layer])
        image.foreign_blobs = [foreign_config, foreign_layer.data]
        image.manifests.insert(0, (kind["manifest"], foreign_manifest))
        image.manifests.append((kind["index"], _json({
            "schemaVersion": 2, "mediaType": kind["index"],
            "manifests": [{"mediaType": kind["manifest"], "digest": digest_of(data), "size": len(data),
                           "platform": {"architecture": machine, "os": "linux"}}
                          for machine, data in (("s390x", foreign_manifest), (architecture, manifest))],
        })))
    return image
