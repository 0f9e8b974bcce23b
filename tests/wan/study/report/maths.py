"""The comparisons the study is about. Every figure is a ratio of medians within one cell."""

import dataclasses
import statistics

from ..cells import PAPER_RTTS
from .pulls import FIXED

OURS = "paceline"
NODES = ("paceline+snapshotter", "paceline+containerd")           # containerd with our store, and with our snapshotter or without
FETCHERS = ("aria2", "curl", "skopeo")                            # compared with `paceline prefetch`
UNPACKERS = ("docker", "containerd-1.6", "containerd-2.1")        # compared with NODES
MUST_BEAT = ("docker", "containerd-1.6", "containerd-2.1", "aria2")

# Best-to-worst gap in percent, from the paper's Table 1.
PAPER_TABLE_1 = {
    35: {"equal-10MB": 405.39, "equal-100MB": 15.21, "equal-500MB": 2.89},
    100: {"equal-10MB": 38.56, "equal-100MB": 17.68, "equal-500MB": 0.39},
    150: {"equal-10MB": 189.91, "equal-100MB": 33.38, "equal-500MB": 16.39},
}


@dataclasses.dataclass(frozen=True)
class Ratio:
    cell: object
    value: float
    against: str  # the setting that ours is compared with


def _ratio(cell, ours, theirs):
    if ours is None or theirs is None:
        return None
    seconds, setting = theirs
    return Ratio(cell, ours / seconds, setting)


def against_fixed(pulls, cell, pull):
    """Adaptive on a first or second pull over the best fixed number of the same engine."""
    return _ratio(cell, pulls.median(cell, OURS, "adaptive", pull), pulls.best(cell, OURS, FIXED))


def against_peer(pulls, cell, peer, node=NODES[0]):
    """Fetch-only with fetch-only, with-unpack with with-unpack (`node`); the peer at its best setting."""
    ours = node if peer in UNPACKERS else OURS
    return _ratio(cell, pulls.median(cell, ours, "adaptive"), pulls.best(cell, peer))


def present(ratios):
    return [ratio for ratio in ratios if ratio is not None]


def median_of(ratios):
    return statistics.median(ratio.value for ratio in ratios) if ratios else None


@dataclasses.dataclass(frozen=True)
class Target:
    """A bound on every cell's ratio, and maybe one on their median."""
    name: str
    bound: float
    ratios: list
    median_bound: float = None

    @property
    def misses(self):
        # A ratio is judged as it is printed.
        return sorted((ratio for ratio in self.ratios if round(ratio.value, 2) > self.bound), key=lambda ratio: -ratio.value)

    @property
    def median(self):
        return median_of(self.ratios)

    @property
    def met(self):
        return not self.misses and (self.median_bound is None or self.median is None or round(self.median, 2) <= self.median_bound)


def targets(pulls):
    cells = pulls.cells()
    found = [
        Target("first pull, adaptive / best fixed", 1.10, present(against_fixed(pulls, cell, "first") for cell in cells), 1.03),
        Target("second pull, adaptive / best fixed", 1.05, present(against_fixed(pulls, cell, "second") for cell in cells)),
    ]
    for peer in MUST_BEAT:
        for ours in NODES if peer in UNPACKERS else (OURS,):
            found.append(Target(f"{ours} adaptive / {peer} at its best", 1.00,
                                present(against_peer(pulls, cell, peer, ours) for cell in cells)))
    return [target for target in found if target.ratios] + wire_targets(pulls)


def _over_wire(pulls, cell, pull):
    ours, limit = pulls.median(cell, OURS, "adaptive", pull), pulls.wire_limit(cell)
    return Ratio(cell, ours / limit, "wire limit") if ours is not None else None


def wire_targets(pulls):
    """How close to the wire, where the issue names a bound."""
    cells = pulls.cells()
    slow_large = [cell for cell in cells if cell.grid == "paper" and cell.image in ("equal-100MB", "equal-500MB")]
    far_small = [cell for cell in cells if cell.grid == "paper" and cell.image == "equal-10MB" and cell.rtt_ms == 150]
    far_fast = [cell for cell in cells if cell.rate == 1000 and cell.rtt_ms == 150 and cell.image == "equal-100MB"
                and not cell.loss_pct and not cell.cap]
    lossy = [cell for cell in cells if cell.rate == 200 and cell.rtt_ms in (35, 150) and cell.loss_pct and not cell.cap
             and cell.image == "single-100MB"]
    found = [
        Target("10 Mbps, 100 MB and more: first pull / wire limit", 1.05, present(_over_wire(pulls, c, "first") for c in slow_large)),
        Target("10 Mbps, 150 ms, 10 MB: first pull / wire limit", 1.20, present(_over_wire(pulls, c, "first") for c in far_small)),
        Target("1 Gbps, 150 ms, 10 × 10 MB: second pull / wire limit", 2.50, present(_over_wire(pulls, c, "second") for c in far_fast)),
        Target("200 Mbps, 0.1 % loss, one layer: first pull / aria2", 1.00, present(against_peer(pulls, c, "aria2") for c in lossy)),
    ]
    return [target for target in found if target.ratios]


def gap_percent(pulls, cell, system, only=""):
    """The paper's figure: how much slower the worst number of layers at once is than the best."""
    best, worst = pulls.best(cell, system, only), pulls.worst(cell, system, only)
    if best is None or best[1] == worst[1]:
        return None
    return 100 * (worst[0] - best[0]) / best[0]


def table_1(pulls):
    """[(place, rtt, image, the paper's, Docker's here, ours at fixed numbers)]"""
    rows = []
    for cell in pulls.cells("paper"):
        rows.append((PAPER_RTTS[int(cell.rtt_ms)], int(cell.rtt_ms), cell, PAPER_TABLE_1[int(cell.rtt_ms)][cell.image],
                     gap_percent(pulls, cell, "docker"), gap_percent(pulls, cell, OURS, FIXED)))
    return sorted(rows, key=lambda row: (row[1], row[2].bytes))


def in_paper_range(streams):
    return 5 <= streams <= 7
