"""The study's images: made once, kept in a docker-registry's storage folder that every lane's registry serves."""

import dataclasses
import fcntl
import json
import shutil

from harness.images import DOCKER, make_image
from harness.registry import Registry

from .cells import IMAGES

INDEX = "images.json"
# Changes with the way images are made, so that an old cache is not taken for the present ones.
RECIPE = 1


@dataclasses.dataclass(frozen=True)
class Pushed:
    name: str
    manifest: str  # digest
    layers: tuple  # ((digest, bytes), …)

    @property
    def bytes(self):
        return sum(size for _, size in self.layers)

    def reference(self, host):
        return f"{host}/{self.name.lower()}:latest"

    def blob_urls(self, host):
        return [f"http://{host}/v2/{self.name.lower()}/blobs/{digest}" for digest, _ in self.layers]


def _read_index(directory):
    try:
        found = json.loads((directory / INDEX).read_text())
    except FileNotFoundError:
        return {}
    if found.get("recipe") != RECIPE:
        shutil.rmtree(directory / "registry", ignore_errors=True)
        return {}
    return {name: Pushed(name, entry["manifest"], tuple((digest, size) for digest, size in entry["layers"]))
            for name, entry in found["images"].items()}


def _write_index(directory, pushed):
    (directory / INDEX).write_text(json.dumps({"recipe": RECIPE, "images": {
        name: {"manifest": image.manifest, "layers": image.layers} for name, image in pushed.items()}}, indent=1))


def ensure(names, directory, say=print):
    """Name → Pushed, of images in `directory`/registry; makes those that are not there yet."""
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "images.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        pushed = _read_index(directory)
        missing = [name for name in names if name not in pushed]
        if missing:
            scratch = directory / "push"
            shutil.rmtree(scratch, ignore_errors=True)
            registry = Registry(scratch, data=directory / "registry")
            try:
                for name in missing:
                    say(f"making image {name}: {len(IMAGES[name])} layers, {sum(IMAGES[name]) / 1e6:g} MB")
                    image = make_image(f"study-{name}", IMAGES[name], kind=DOCKER, base=False)
                    registry.push(image, name.lower())
                    pushed[name] = Pushed(name, image.digest, tuple((layer.digest, len(layer.data)) for layer in image.layers))
                    _write_index(directory, pushed)
            finally:
                registry.stop()
                shutil.rmtree(scratch, ignore_errors=True)
        return {name: pushed[name] for name in names}
