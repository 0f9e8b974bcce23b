"""The emulated paths, under the names that `paceline analyze --path` knows."""

import dataclasses

from lane import LinkSpec

FIRST_LANE = 70  # Beside those of contention and explain; each path has its own, so that records tell them apart.


@dataclasses.dataclass(frozen=True)
class WanPath:
    name: str
    fitted: bool
    spec: LinkSpec
    lane: int


def _paths():
    named = (("50mbps-80ms", True, LinkSpec(50, 80)), ("200mbps-20ms", True, LinkSpec(200, 20)),
             ("400mbps-5ms", True, LinkSpec(400, 5)), ("20mbps-40ms", False, LinkSpec(20, 40)),
             ("100mbps-35ms", False, LinkSpec(100, 35)), ("100mbps-10ms", False, LinkSpec(100, 10)),
             ("200mbps-70ms", False, LinkSpec(200, 70)), ("300mbps-10ms", False, LinkSpec(300, 10)),
             ("500mbps-3ms", False, LinkSpec(500, 3)))
    return tuple(WanPath(name, fitted, spec, FIRST_LANE + number) for number, (name, fitted, spec) in enumerate(named))


PATHS = _paths()
NAMED = {path.name: path for path in PATHS}
