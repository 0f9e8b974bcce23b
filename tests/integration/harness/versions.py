"""The containerd versions every test runs against: this machine's own, and those of other Debian releases beside it."""

import functools
import os
import pathlib

from .processes import run

ROOT = pathlib.Path(__file__).resolve().parents[3]
CACHE = pathlib.Path(os.environ.get("PACELINE_CONTAINERD_CACHE", ROOT / "build" / "containerd"))
OTHER_SUITES = ("trixie", "forky")
SUITES = ("bookworm",) + OTHER_SUITES


class Version:
    def __init__(self, suite, bin_dir):
        self.suite = suite
        self.bin = pathlib.Path(bin_dir)
        words = run(self.bin / "containerd", "--version").stdout.split()
        self.number = words[2].lstrip("v").split("~")[0].split("+")[0]
        self.major, self.minor = (int(part) for part in self.number.split(".")[:2])

    @property
    def has_transfer_service(self):
        """Whether `ctr image pull` goes through the daemon's transfer service unless told --local."""
        return (self.major, self.minor) >= (2, 1)

    def __str__(self):
        return f"containerd {self.number} ({self.suite})"


@functools.lru_cache(maxsize=None)
def all_versions():
    listed = run("sh", pathlib.Path(__file__).with_name("debs.sh"), CACHE, *OTHER_SUITES, timeout=600).stdout
    found = {"bookworm": Version("bookworm", "/usr/bin")}
    for line in listed.splitlines():
        suite, bin_dir = line.split(" ", 1)
        found[suite] = Version(suite, bin_dir)
    return found
