"""The measured pulls, by function, variant, link and system."""

import collections
import csv
import dataclasses
import statistics

from ..functions import ALL, MULTI_STAGE, ORIGINAL
from ..links import LINKS
from ..systems import SYSTEMS

_ORDER = [function.name for function in ALL]


def _in_order(found, order):
    return sorted(found, key=lambda name: (order.index(name) if name in order else len(order), name))


@dataclasses.dataclass(frozen=True)
class Shape:
    """What a variant is, in numbers."""
    compressed: int
    uncompressed: int
    files: int
    layers: int

    @property
    def ratio(self):
        return self.uncompressed / self.compressed


@dataclasses.dataclass(frozen=True)
class Saving:
    """What the stages save."""
    before: float
    after: float

    @property
    def amount(self):
        return self.before - self.after

    @property
    def percent(self):
        return 100 * self.amount / self.before


class Pulls:
    def __init__(self, rows):
        self.rows = rows
        self._seconds = collections.defaultdict(list)
        self._shapes, self._applications = {}, {}
        for row in rows:
            function, variant = row["function"], row["variant"]
            self._seconds[function, variant, row["link"], row["system"]].append(float(row["seconds"]))
            self._applications[function] = row["application"]
            self._shapes[function, variant] = Shape(*(int(row[name]) for name in ("compressed_bytes", "uncompressed_bytes", "files", "layers")))

    @classmethod
    def read(cls, path):
        with open(path, newline="") as file:
            return cls(list(csv.DictReader(file)))

    def functions(self):
        """Those of which there are both variants."""
        return _in_order({name for name, _ in self._shapes if all((name, one) in self._shapes for one in (ORIGINAL, MULTI_STAGE))}, _ORDER)

    def application(self, function):
        return self._applications[function]

    def links(self):
        return _in_order({key[2] for key in self._seconds}, list(LINKS))

    def systems(self):
        return _in_order({key[3] for key in self._seconds}, list(SYSTEMS))

    def shape(self, function, variant):
        return self._shapes[function, variant]

    def seconds(self, function, variant, link, system):
        return self._seconds.get((function, variant, link, system), [])

    def row(self, function, variant, link, system):
        """One of them."""
        wanted = (function, variant, link, system)
        return next(row for row in self.rows if (row["function"], row["variant"], row["link"], row["system"]) == wanted)

    def median(self, function, variant, link, system):
        found = self.seconds(function, variant, link, system)
        return statistics.median(found) if found else None

    def time_saving(self, function, link, system):
        before, after = (self.median(function, variant, link, system) for variant in (ORIGINAL, MULTI_STAGE))
        return Saving(before, after) if before is not None and after is not None else None

    def size_saving(self, function, what="uncompressed"):
        return Saving(*(getattr(self.shape(function, variant), what) for variant in (ORIGINAL, MULTI_STAGE)))

    def repetitions(self):
        """(fewest, most) of what was measured at all."""
        counts = [len(found) for found in self._seconds.values()]
        return min(counts), max(counts)
