"""A pull that somebody waits for, while ten prefetches run: hardly slower than alone, and they go on afterwards."""

import time

from lane import LinkSpec

from ..images import MB, ensure
from ..node import MOST_STREAMS, fresh
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


class Watch:
    """What the prefetches brought while the foreground pull was seen to run."""

    def __init__(self, name, background):
        self._name, self._background = name, background
        self._seen = []

    def look(self, pulls):
        running = pulls.get(self._name, {}).get("state") == "fetching"
        if running and all(name in pulls for name in self._background):
            self._seen.append((pulls[self._name]["received_bytes"],
                               sum(pulls[name]["received_bytes"] for name in self._background)))

    @property
    def share(self):
        """Of the bytes that came between the first look and the last."""
        if len(self._seen) < 2:
            return 0.0
        ours, theirs = (last - first for first, last in zip(self._seen[0], self._seen[-1]))
        return theirs / (ours + theirs) if ours + theirs else 0.0


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
                        if case != "alone":
                            node.prefetch(background)
                            time.sleep(lead)
                        watch = Watch(name, background)
                        seconds = node.wait(node.pull([name]), watch.look)[name]
                        records.add(SCENARIO, spec, case, rep, seconds=(seconds, "s"), prefetch_share=(watch.share, "of the bytes"),
                                    connections_max=(float(place.lane.stats()["connections_max"]), ""))
        link = f"{spec.rate_mbps:g} Mbps/{spec.rtt_ms:g} ms"
        alone = records.median(SCENARIO, spec, "alone", "seconds")
        records.promise(
            at_most(f"foreground with {PREFETCHES} prefetches / alone, {link}",
                    records.median(SCENARIO, spec, "with-prefetches", "seconds") / alone, MOST),
            figure(f"  the prefetches' part of the bytes meanwhile, {link}",
                   records.median(SCENARIO, spec, "with-prefetches", "prefetch_share")),
            at_most(f"  connections at once, {link}", max(records.values(SCENARIO, spec, "with-prefetches", "connections_max")),
                    MOST_STREAMS))


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
