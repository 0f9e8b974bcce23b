"""Fifty images at once: nobody starves, equals stay equal, and together they take no longer than one pull of all the bytes."""

from lane import LinkSpec

from ..images import MB, ensure
from ..node import MOST_STREAMS, fresh
from ..place import Place
from ..records import at_least, at_most, figure, jain

SCENARIO = "many"
SPEC = LinkSpec(100, 35)
IMAGES, LAYERS, LAYER_BYTES = 50, 4, MB


class Watch:
    """Remembers how much everyone had when the first was about to end, and when everyone had something."""

    def __init__(self, names):
        self._names = names
        self.while_all_ran = None

    def look(self, pulls):
        mine = [pulls[name] for name in self._names if name in pulls]
        if len(mine) == len(self._names) and not any(pull["state"] == "done" for pull in mine):
            self.while_all_ran = [pull["received_bytes"] for pull in mine]


def _together(records, place, case, rep, ask, names):
    with fresh(place) as node:
        watch = Watch(names)
        seconds = sorted(node.wait(ask(node, names), watch.look).values())
        stats = place.lane.stats()
    records.add(SCENARIO, SPEC, case, rep, first=(seconds[0], "s"), median=(seconds[len(seconds) // 2], "s"),
                last=(seconds[-1], "s"), ratio=(seconds[-1] / seconds[0], ""), jain=(jain(watch.while_all_ran), ""),
                without_bytes=(float(watch.while_all_ran.count(0)), "pulls"),
                connections_max=(float(stats["connections_max"]), ""))


def measure(records, reps):
    names = ensure("many", IMAGES, LAYERS, LAYER_BYTES)
    whole, = ensure("whole", 1, IMAGES * LAYERS // 4, 4 * LAYER_BYTES)
    with Place(SPEC) as place:
        for rep in range(1, max(2, reps // 2) + 1):
            with fresh(place) as node:
                records.add(SCENARIO, SPEC, "one", rep, seconds=(node.wait(node.pull([whole]))[whole], "s"),
                            connections_max=(float(place.lane.stats()["connections_max"]), ""))
            _together(records, place, "pulls", rep, lambda node, names: node.pull(names), names)
            _together(records, place, "prefetches", rep, lambda node, names: node.prefetch(names), names)
    one = records.median(SCENARIO, SPEC, "one", "seconds")
    for case in ("pulls", "prefetches"):
        median = lambda measure: records.median(SCENARIO, SPEC, case, measure)
        records.promise(
            at_most(f"{IMAGES} {case}: slowest / fastest", median("ratio"), 1.5),
            at_least(f"{IMAGES} {case}: Jain's index while all ran", median("jain"), 0.9),
            at_most(f"{IMAGES} {case}: without a byte when the first ended", median("without_bytes"), 0),
            at_most(f"{IMAGES} {case}: last / one pull of all the bytes", median("last") / one, 1.1),
            figure(f"{IMAGES} {case}: median / last", median("median") / median("last")),
            at_most(f"{IMAGES} {case}: connections at once", max(records.values(SCENARIO, SPEC, case, "connections_max")),
                    MOST_STREAMS))


def check(records):
    names = ensure("check", 12, 2, 250_000)
    with Place(LinkSpec(40, 10)) as place, fresh(place, concurrency__max_streams=4) as node:
        node.wait(node.pull(names))
        held = place.lane.stats()["connections_max"]
        records.add(SCENARIO, place.spec, "check", 1, connections_max=(float(held), ""))
    records.promise(at_most("12 pulls, 4 streams allowed: connections at once", held, 4))
