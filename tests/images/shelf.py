"""The images, built and pushed once: in a docker-registry's storage folder that every place of measurement serves."""

import concurrent.futures
import dataclasses
import json
import os
import shutil
import threading

from harness.registry import Registry

from .build import Builder
from .debian import BASES
from .functions import FOLDER, VARIANTS
from .layers import Layer, blob_path, describe

INDEX = "images.json"


@dataclasses.dataclass(frozen=True)
class Image:
    """One variant of a function, as its rows need it and as the study's systems pull it."""
    application: str
    function: str
    variant: str
    fingerprint: str
    manifest: str  # digest
    layers: tuple  # of Layer, bottom first

    @property
    def key(self):
        return f"{self.function}/{self.variant}"

    @property
    def bytes(self):
        return sum(layer.compressed for layer in self.layers)

    @property
    def uncompressed(self):
        return sum(layer.uncompressed for layer in self.layers)

    @property
    def files(self):
        return sum(layer.files for layer in self.layers)

    def reference(self, host):
        return f"{host}/{self.key}:latest"


def _tag(function, variant):
    return f"localhost/{function.name}:{variant}"


class Shelf:
    def __init__(self, folder, say=print):
        self.folder, self.say = folder, say
        self.folder.mkdir(parents=True, exist_ok=True)
        self.storage = folder / "registry"
        self.builder = Builder(folder / "build", say)
        self._writing = threading.Lock()

    def ensure(self, functions):
        """"function/variant" → Image; builds and pushes what is not there or was made from other files."""
        if self._missing(functions):
            with self.builder.alone():
                if missing := self._missing(functions):  # Another process may have made them meanwhile.
                    self._make(missing, self._read())
        known = self._read()
        return {f"{function.name}/{variant}": known[f"{function.name}/{variant}"] for function in functions for variant in VARIANTS}

    def _missing(self, functions):
        known = self._read()
        return [(function, variant) for function in functions for variant in VARIANTS
                if not self._current(known.get(f"{function.name}/{variant}"), function.fingerprint(variant))]

    def known(self):
        """Every image that is there."""
        return self._read()

    def export(self, function, variant, folder):
        """Writes an image as an OCI layout; returns its manifest's digest."""
        with self.builder.alone():
            for base in function.bases:
                self.builder.base(base)
            tag = self.builder.build(function.containerfile(variant), FOLDER, _tag(function, variant))
            return self.builder.export(tag, folder)

    def warm(self, images):
        """Reads every blob once, so that no pull waits for the registry's disk."""
        for digest in {layer.digest for image in images for layer in image.layers}:
            with open(blob_path(self.storage, digest), "rb") as file:
                while file.read(1 << 22):
                    pass

    def _current(self, image, fingerprint):
        return image is not None and image.fingerprint == fingerprint and blob_path(self.storage, image.manifest).exists()

    def _make(self, missing, known):
        scratch = self.folder / "push"
        shutil.rmtree(scratch, ignore_errors=True)
        registry = Registry(scratch, data=self.storage, log="/dev/null")
        try:
            with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
                self._make_bases(dict.fromkeys(base for function, _ in missing for base in function.bases), pool)
                # A function's variants one after the other: the second takes its first stage from the first's steps.
                built = [pool.submit(self._build, [pair for pair in missing if pair[0] is function], registry.host, known)
                         for function in dict.fromkeys(function for function, _ in missing)]
                for one in concurrent.futures.as_completed(built):
                    one.result()
        finally:
            registry.stop()
            shutil.rmtree(scratch, ignore_errors=True)

    def _make_bases(self, bases, pool):
        list(pool.map(self.builder.base, (base for base in bases if base in BASES)))
        for base in bases:
            if base not in BASES:
                self.builder.base(base)  # It stands on those.

    def _build(self, pairs, host, known):
        for function, variant in pairs:
            image = self._build_one(function, variant, host)
            with self._writing:
                known[image.key] = image
                self._write(known)

    def _build_one(self, function, variant, host):
        self.say(f"building {function.name}, {variant}")
        tag = self.builder.build(function.containerfile(variant), FOLDER, _tag(function, variant))
        said = self.builder.run(tag, function.check).strip()
        digest = self.builder.push(tag, f"{host}/{function.name}/{variant}:latest")
        image = Image(function.application, function.name, variant, function.fingerprint(variant), digest,
                      tuple(describe(self.storage, digest)))
        self.say(f"{image.key}: {image.bytes / 1e6:.0f} MB, unpacked {image.uncompressed / 1e6:.0f} MB, {image.files} files, "
                 f"{len(image.layers)} layers; it runs: {said[:100]}")
        return image

    def _read(self):
        try:
            found = json.loads((self.folder / INDEX).read_text())
        except FileNotFoundError:
            return {}
        return {key: Image(**{**entry, "layers": tuple(Layer(**layer) for layer in entry["layers"])}) for key, entry in found.items()}

    def _write(self, known):
        partial = self.folder / f"{INDEX}.part"
        partial.write_text(json.dumps({key: dataclasses.asdict(image) for key, image in known.items()}, indent=1))
        partial.rename(self.folder / INDEX)
