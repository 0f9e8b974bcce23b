"""The systems that are compared. Each file knows how to run one kind of them; this one knows which there are."""

from .containerd import Containerd16, Containerd21, PacelineContainerd, PacelineSnapshotter
from .docker import Docker
from .paceline import Paceline
from .tools import Aria2, Curl, Skopeo

SYSTEMS = {system.name: system for system in (
    Paceline(), PacelineContainerd(), PacelineSnapshotter(), Docker(), Containerd16(), Containerd21(), Skopeo(), Aria2(), Curl())}
