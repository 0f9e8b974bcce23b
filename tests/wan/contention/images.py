"""Images that differ in every byte, made once and kept in the storage folder that every place's registry serves."""

import fcntl
import shutil

from harness.images import DOCKER, make_image
from harness.registry import Registry

from . import BUILD

MB = 1_000_000
STORAGE = BUILD / "registry"


def name_of(role, number, layers, layer_bytes):
    return f"{role}-{number}-{layers}x{layer_bytes // 1000}k"


def ensure(role, count, layers, layer_bytes):
    """Names of `count` images of `layers` equal layers."""
    names = [name_of(role, number, layers, layer_bytes) for number in range(count)]
    keep({name: lambda name=name: make_image(name, [layer_bytes] * layers, kind=DOCKER, base=False) for name in names})
    return names


def keep(makers):
    """`makers`: name → what makes the image, called once on this machine."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / "images.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        listed = BUILD / "images.txt"
        made = set(listed.read_text().split()) if listed.exists() else set()
        missing = [name for name in makers if name not in made]
        if missing:
            scratch = BUILD / "push"
            shutil.rmtree(scratch, ignore_errors=True)
            registry = Registry(scratch, data=STORAGE, log="/dev/null")
            try:
                for name in missing:
                    registry.push(makers[name](), name)
                    with open(listed, "a") as file:
                        file.write(name + "\n")
            finally:
                registry.stop()
                shutil.rmtree(scratch, ignore_errors=True)
