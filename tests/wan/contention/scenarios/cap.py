"""prefetch.bytes_per_second: prefetches keep to it, over the whole and in every second."""

import time

from lane import LinkSpec

from ..images import ensure
from ..node import fresh
from ..place import Place
from ..records import at_least, at_most

SCENARIO = "cap"
SPEC = LinkSpec(100, 35)
CAP = 1_000_000  # bytes a second
IMAGES, LAYERS, LAYER_BYTES = 3, 4, 1_000_000
WIRE = 1538 / 1448  # of the bytes on the link, framing included, are payload


def measure(records, reps):
    names = ensure("capped", IMAGES, LAYERS, LAYER_BYTES)
    total = IMAGES * LAYERS * LAYER_BYTES
    with Place(SPEC) as place, fresh(place, prefetch__bytes_per_second=CAP) as node:
        seen = [(time.monotonic(), 0)]

        def look(_):
            seen.append((time.monotonic(), place.lane.stats()["down_bytes"]))

        seconds = max(node.wait(node.prefetch(names), look, every=0.1).values())
        worst = max((b - a) / (t - s) for i, (s, a) in enumerate(seen) for t, b in seen[i + 1:] if t - s >= 1)
        records.add(SCENARIO, SPEC, "prefetches", 1, seconds=(seconds, "s"), mean=(total / seconds, "bytes/s"),
                    worst_second=(worst, "bytes/s"))
    records.promise(at_most("prefetch cap: mean rate / cap", total / seconds / CAP, 1.05),
                    at_least("prefetch cap: mean rate / cap", total / seconds / CAP, 0.85),
                    at_most("prefetch cap: worst second / cap (250 ms of burst allowed)", worst / WIRE / CAP, 1.35))


def check(records):
    names = ensure("check", 2, 2, 250_000)
    with Place(LinkSpec(40, 10)) as place, fresh(place, prefetch__bytes_per_second="2MB") as node:
        node.wait(node.prefetch(names))
        records.add(SCENARIO, place.spec, "check", 1, done=(float(len(names)), "prefetches"))
