"""What was measured, and what was promised."""

import csv
import dataclasses
import os
import statistics

COLUMNS = ("scenario", "rate", "rtt_ms", "cap", "case", "rep", "measure", "value", "unit", "load1")


def jain(shares):
    """Jain's fairness index: 1 when all are equal, 1/n when one has everything."""
    shares = list(shares)
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0


@dataclasses.dataclass(frozen=True)
class Target:
    """`met` None: a figure without a promise."""
    what: str
    value: float
    promise: str = ""
    met: bool | None = None


def at_most(what, value, most, unit=""):
    return Target(what, value, f"<= {most:g}{unit}", value <= most)


def at_least(what, value, least, unit=""):
    return Target(what, value, f">= {least:g}{unit}", value >= least)


def figure(what, value):
    return Target(what, value)


class Records:
    """Rows in the order of measuring; said as they come."""

    def __init__(self, say=print):
        self.rows, self.targets, self._say = [], [], say

    def add(self, scenario, spec, case, rep, **measures):
        """`measures`: name=(value, unit)."""
        load1 = os.getloadavg()[0]
        for measure, (value, unit) in measures.items():
            self.rows.append((scenario, spec.rate_mbps, spec.rtt_ms, spec.cap_mbps, case, rep, measure, value, unit, load1))
        said = ", ".join(f"{measure} {value:.6g} {unit}".rstrip() for measure, (value, unit) in measures.items())
        self._say(f"{scenario} {spec.rate_mbps:g}Mbps/{spec.rtt_ms:g}ms {case} #{rep}: {said}  (load {load1:.1f})")

    def values(self, scenario, spec, case, measure):
        where = (scenario, spec.rate_mbps, spec.rtt_ms, spec.cap_mbps, case)
        return [row[7] for row in self.rows if row[:5] == where and row[6] == measure]

    def median(self, scenario, spec, case, measure):
        return statistics.median(self.values(scenario, spec, case, measure))

    def promise(self, *targets):
        self.targets += targets

    def write(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row] for row in self.rows)

    def table(self):
        width = max((len(target.what) for target in self.targets), default=0)
        lines = [f"{'':{width}}  {'figure':>8}  {'promise':<12} met"]
        for target in self.targets:
            met = "" if target.met is None else "yes" if target.met else "NO"
            lines.append(f"{target.what:{width}}  {target.value:8.3f}  {target.promise:<12} {met}".rstrip())
        return "\n".join(lines)

    @property
    def missed(self):
        return [target for target in self.targets if target.met is False]
