"""The measured pulls, by cell, system and setting."""

import collections
import csv
import statistics

from ..cells import Cell
from ..results import KEY

FIXED = "fixed:"


def _number(text):
    return float(text) if text not in ("", None) else None


class Pulls:
    def __init__(self, rows, streams=()):
        """`rows`, `streams`: dictionaries of text as the CSV files hold them."""
        self._groups = collections.defaultdict(list)
        extra = {tuple(row[column] for column in KEY): row for row in streams}
        for row in rows:
            cell = Cell(row["grid"], *(float(row[name]) for name in ("rate", "rtt_ms", "loss_pct", "cap")), row["image"])
            more = extra.get(tuple(row[column] for column in KEY), {})
            self._groups[cell, row["system"], row["setting"], row["pull"]].append({**more, **row})

    @classmethod
    def read(cls, path, streams=()):
        with open(path, newline="") as file:
            return cls(list(csv.DictReader(file)), streams)

    def cells(self, grid=None):
        found = {key[0] for key in self._groups if grid is None or key[0].grid == grid}
        order = {"paper": 0, "modern": 1}
        return sorted(found, key=lambda c: (order.get(c.grid, 2), c.rate, c.bytes, c.image, c.rtt_ms, c.loss_pct, c.cap))

    def grids(self):
        return sorted({cell.grid for cell in self.cells()}, key=lambda grid: (grid != "paper", grid))

    def systems(self, cell=None):
        return sorted({key[1] for key in self._groups if cell in (None, key[0])})

    def settings(self, cell, system, pull="first"):
        def order(setting):
            digits = "".join(filter(str.isdigit, setting))
            return setting.rstrip("0123456789"), int(digits or 0)
        return sorted({key[2] for key in self._groups if key[0] == cell and key[1] == system and key[3] == pull}, key=order)

    def values(self, cell, system, setting, pull="first", column="seconds"):
        found = (_number(row.get(column)) for row in self._groups.get((cell, system, setting, pull), ()))
        return [value for value in found if value is not None]

    def texts(self, cell, system, setting, pull="first", column="reason"):
        return [row[column] for row in self._groups.get((cell, system, setting, pull), ()) if row.get(column)]

    def median(self, cell, system, setting, pull="first", column="seconds"):
        found = self.values(cell, system, setting, pull, column)
        return statistics.median(found) if found else None

    def best(self, cell, system, only="", pull="first"):
        """(median seconds, setting) of the fastest setting whose name begins with `only`; None when none was measured."""
        found = [(self.median(cell, system, setting, pull), setting) for setting in self.settings(cell, system, pull)
                 if setting.startswith(only)]
        return min(found, default=None)

    def worst(self, cell, system, only="", pull="first"):
        found = [(self.median(cell, system, setting, pull), setting) for setting in self.settings(cell, system, pull)
                 if setting.startswith(only)]
        return max(found, default=None)

    def wire_limit(self, cell):
        for key, rows in self._groups.items():
            if key[0] == cell:
                return float(rows[0]["wire_limit_seconds"])
        return None

    def count(self):
        return sum(len(rows) for rows in self._groups.values())

    def loads(self):
        return [float(row["load1"]) for rows in self._groups.values() for row in rows]
