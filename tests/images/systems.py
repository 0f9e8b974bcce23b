"""The systems that pull: those of the study of the WAN, each at one setting. Every pull ends with the image unpacked."""

from study.systems.base import System
from study.systems.containerd import Containerd21, PacelineSnapshotter
from study.systems.docker import Docker


class Containerd(Containerd21):
    """containerd 2.1 as it comes: its transfer service, which `ctr images pull` and CRI use, three layers at a time."""

    def run(self, site, image, setting, timeout, expected):
        yield self.transfer(site, image, timeout, expected)


# As the rows name them: (the study's system, its setting).
SYSTEMS = {
    "docker": (Docker(), "3"),
    "containerd": (Containerd(), "default"),
    "paceline-fixed:3": (PacelineSnapshotter(), "fixed:3"),
    "paceline-adaptive": (PacelineSnapshotter(), "adaptive"),
}


class Named(System):
    """A system at its setting, under the rows' name."""

    def __init__(self, name):
        self.name = name
        self._system, self._setting = SYSTEMS[name]
        self.unpacks, self.setup_seconds = self._system.unpacks, self._system.setup_seconds

    def missing(self):
        return self._system.missing()

    def streams(self, cell):
        return self._system.streams(self._setting, cell)

    def run(self, site, image, setting, timeout, expected):
        yield from self._system.run(site, image, self._setting, timeout, expected)
