"""From grids, systems and repetitions to the jobs that are still to do."""

import fnmatch

from . import predict
from .cells import GRIDS
from .results import key_of
from .schedule import Job, in_order


def reps_of(cell, reps):
    """Short pulls vary most and cost least; half a gigabyte over 10 Mbps varies by a percent."""
    if reps:
        return reps
    if cell.grid == "paper":
        return {"equal-10MB": 5, "equal-100MB": 3}.get(cell.image, 1)
    return 3 if cell.grid == "modern" else 1


def _matches(text, patterns):
    return not patterns or any(fnmatch.fnmatch(text, pattern) for pattern in patterns)


def jobs(grids, systems, results, cells=None, chosen=None, reps=None, seed=1, tiers=2):
    """`cells`: patterns of str(cell); `chosen`: patterns of "system" or "system=setting"."""
    todo = []
    for cell in (cell for grid in grids for cell in GRIDS[grid]()):
        if not _matches(str(cell), cells):
            continue
        for system in systems.values():
            for setting, tier in system.settings(cell):
                if tier > tiers or not _matches(system.name, chosen) and not _matches(f"{system.name}={setting}", chosen):
                    continue
                streams, ranged = system.streams(setting, cell)
                expected = predict.seconds(cell, streams, ranged, system.unpacks)
                pulls = system.pulls(setting)
                for rep in range(1, reps_of(cell, reps) + 1):
                    if all(results.done(key_of(cell, system.name, setting, pull, rep)) for pull in pulls):
                        continue
                    todo.append(Job(cell, system.name, setting, rep, tier, pulls, expected, system.setup_seconds,
                                    predict.cores(cell, expected, system.unpacks)))
    return in_order(todo, seed)
