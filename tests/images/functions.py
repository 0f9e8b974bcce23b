"""The functions that are measured: after AQUATOPE's applications, several of each."""

import dataclasses
import hashlib
import pathlib

from .debian import CONTAINERFILES

FOLDER = pathlib.Path(__file__).with_name("functions")
COMMON = FOLDER / "common"
ORIGINAL, MULTI_STAGE = VARIANTS = ("original", "multi-stage")


@dataclasses.dataclass(frozen=True)
class Function:
    application: str
    name: str
    bases: tuple           # that its Containerfiles stand on, by debian.py's names; each before what stands on it
    check: tuple = ("python3", "/function/proxy.py", "--once")  # run in each image after it was built

    def containerfile(self, variant):
        return FOLDER / self.name / f"Containerfile.{variant}"

    def fingerprint(self, variant):
        """Changes with whatever its image is made from."""
        found = hashlib.sha256()
        bases = [CONTAINERFILES[base] for base in self.bases if base in CONTAINERFILES]
        for path in [self.containerfile(variant), *bases, *sorted(COMMON.iterdir()), *sorted((FOLDER / self.name).glob("*.py"))]:
            found.update(path.name.encode() + b"\0" + path.read_bytes())
        return found.hexdigest()


_DEBIAN = ("debian:bookworm", "debian:bookworm-slim", "python-runtime:latest")

# The first of each application comes first where there is no time for all.
ALL = (
    Function("social-network", "sn-compose-post", _DEBIAN),
    Function("ml-pipeline", "ml-object-detection", _DEBIAN),
    Function("video-processing", "vp-transcode", _DEBIAN),
    Function("social-network", "sn-text-filter", _DEBIAN),
    Function("ml-pipeline", "ml-image-filter", _DEBIAN),
    Function("video-processing", "vp-thumbnail", _DEBIAN),
)
TINY = tuple(Function("tiny", name, ("busybox:latest",), ("cat", "/function/result")) for name in ("tiny-one", "tiny-two"))
NAMED = {function.name: function for function in ALL + TINY}


def rank_in_application(functions):
    """Function name → 0 for the first of its application, 1 for the second, …"""
    seen, rank = {}, {}
    for function in functions:
        rank[function.name] = seen.get(function.application, 0)
        seen[function.application] = rank[function.name] + 1
    return rank
