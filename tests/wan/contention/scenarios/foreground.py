"""A pull that somebody waits for, while ten prefetches run: hardly slower than alone, and they go on afterwards."""

import statistics
import time

from lane import LinkSpec

from ..images import MB, ensure
from ..node import fresh
from ..place import Place
from ..records import at_most, figure

SCENARIO = "foreground"
PREFETCHES, PREFETCH_LAYERS, PREFETCH_LAYER_BYTES = 10, 4, 5 * MB
LAYERS = 10
# Link, bytes a layer of the foreground pull, how long the prefetches have the link to themselves.
CELLS = ((LinkSpec(10, 100), 1 * MB, 3.0), (LinkSpec(200, 35), 10 * MB, 2.0), (LinkSpec(1000, 2), 10 * MB, 0.7))
MOST = 1.15


def _prime(node, name):
    """Both cases start on a path that is known: otherwise it is the prefetches that would have learned it."""
    node.wait(node.pull([name]))
    node.place.lane.reset_stats()


def _received(node, names):
    pulls = node.pulls()
    return sum(pulls[name]["received_bytes"] for name in names)


def measure(records, reps):
    background = ensure("background", PREFETCHES, PREFETCH_LAYERS, PREFETCH_LAYER_BYTES)
    for spec, layer_bytes, lead in CELLS:
        name, = ensure("foreground", 1, LAYERS, layer_bytes)
        primer, = ensure("primer", 1, 4, 500_000)
        with Place(spec) as place:
            for rep in range(1, reps + 1):
                for case in ("alone", "with-prefetches") if rep % 2 else ("with-prefetches", "alone"):
                    with fresh(place) as node:
                        _prime(node, primer)
                        before = 0
                        if case != "alone":
                            node.prefetch(background)
                            time.sleep(lead)
                            before = _received(node, background)
                        seconds = node.wait(node.pull([name]))[name]
                        meanwhile = _received(node, background) - before if before else 0
                        records.add(SCENARIO, spec, case, rep, seconds=(seconds, "s"),
                                    prefetched_meanwhile=(float(meanwhile), "bytes"),
                                    connections_max=(float(place.lane.stats()["connections_max"]), ""))
        link = f"{spec.rate_mbps:g} Mbps/{spec.rtt_ms:g} ms"
        alone = records.median(SCENARIO, spec, "alone", "seconds")
        records.promise(
            at_most(f"foreground with {PREFETCHES} prefetches / alone, {link}",
                    records.median(SCENARIO, spec, "with-prefetches", "seconds") / alone, MOST),
            figure(f"  prefetched meanwhile, of the foreground's bytes, {link}",
                   statistics.median(records.values(SCENARIO, spec, "with-prefetches", "prefetched_meanwhile"))
                   / (LAYERS * layer_bytes)))


def check(records):
    """By counters, not by time: it ends before any of those that started first, and those end too."""
    background = ensure("check-background", 3, 2, 2 * MB)
    name, = ensure("check-foreground", 1, 2, 250_000)
    with Place(LinkSpec(40, 10)) as place, fresh(place) as node:
        asked = node.prefetch(background)
        time.sleep(0.5)
        waited = node.pull([name])
        node.wait(waited)
        overtaken = sum(node.pulls()[one]["state"] != "done" for one in background)
        node.wait(asked)
        records.add(SCENARIO, place.spec, "check", 1, overtaken=(float(overtaken), "prefetches"))
    records.promise(at_most("foreground: prefetches that ended before it", len(background) - overtaken, 0))
