"""The links that pulls go over, and the cells: one link and one image each."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Link:
    name: str
    rate: float    # Mbps; on loopback what the schedule reckons with
    rtt_ms: float
    emulated: bool
    tier: int      # within a repetition the lower ones come first: where there is no time for all, the slow link's pulls are left


LINKS = {link.name: link for link in (
    Link("loopback", 8000, 0.05, False, 0),
    Link("1Gbps-35ms", 1000, 35, True, 0),
    Link("100Mbps-35ms", 100, 35, True, 1),
)}


@dataclasses.dataclass(frozen=True)
class Cell:
    """What the study's schedule, sites and predictions want to know of a pull."""
    link: Link
    image: str       # its key
    layers: tuple    # bytes of each
    loss_pct: float = 0
    cap: float = 0
    grid: str = "images"

    @property
    def rate(self):
        return self.link.rate

    @property
    def rtt_ms(self):
        return self.link.rtt_ms

    @property
    def bytes(self):
        return sum(self.layers)

    def __str__(self):
        return f"{self.link.name}/{self.image}"
