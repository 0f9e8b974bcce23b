"""Servers that refuse: 429 above so many requests a second, 503 above so many connections. We learn where that is."""

from lane import LinkSpec

from ..guard import Limits
from ..images import MB, ensure
from ..node import fresh
from ..place import Place
from ..records import at_most, figure

SCENARIO = "throttle"
# A cap of each connection, as CDNs have it, makes every connection that the server allows worth having.
SPEC = LinkSpec(100, 35, cap_mbps=10)
LAYERS, LAYER_BYTES = 10, 4 * MB
SERVERS = {"503-above-6-connections": Limits(connections=6), "429-above-5-requests/s": Limits(requests_per_second=5, burst=5)}
FIXED = (4, 5, 6, 8)
MOST = 1.2


def _pull(records, place, node, case, rep, name):
    before = place.guard.answers()
    place.fresh()
    seconds = node.wait(node.pull([name]))[name]
    answers = place.guard.answers()
    answers.subtract(before)
    refused = answers[429] + answers[503]
    path = node.path()
    records.add(SCENARIO, SPEC, case, rep, seconds=(seconds, "s"), refused=(float(refused), "answers"),
                requests=(float(sum(answers.values())), ""), ceiling=(float(path["stream_ceiling"]), "streams"))
    return refused


def measure(records, reps):
    name, = ensure("throttled", 1, LAYERS, LAYER_BYTES)
    for server, limits in SERVERS.items():
        with Place(SPEC, limits) as place:
            for rep in range(1, max(2, reps // 2) + 1):
                for streams in FIXED:
                    with fresh(place, f"fixed:{streams}") as node:
                        _pull(records, place, node, f"{server} fixed:{streams}", rep, name)
                with fresh(place) as node:
                    _pull(records, place, node, f"{server} adaptive first", rep, name)
                    node.restart_without_blobs()
                    _pull(records, place, node, f"{server} adaptive second", rep, name)
        median = lambda case, measure: records.median(SCENARIO, SPEC, f"{server} {case}", measure)
        refused = {f"fixed:{n}": max(records.values(SCENARIO, SPEC, f"{server} fixed:{n}", "refused")) for n in FIXED}
        under = [case for case in refused if refused[case] == min(refused.values())]  # None, but for a stray one.
        best = min(under, key=lambda case: median(case, "seconds"))
        for pull in ("first", "second"):
            records.promise(
                at_most(f"{server}, {pull} pull / best that stays under ({best})",
                        median(f"adaptive {pull}", "seconds") / median(best, "seconds"), MOST),
                figure(f"  refused, {pull} pull", median(f"adaptive {pull}", "refused")))


def check(records):
    name, = ensure("check-throttled", 1, 8, 250_000)
    for server, limits in {"503": Limits(connections=2), "429": Limits(requests_per_second=4, burst=4)}.items():
        with Place(LinkSpec(40, 10), limits) as place, fresh(place) as node:
            node.wait(node.pull([name]))
            answers = place.guard.answers()
            records.add(SCENARIO, place.spec, f"check {server}", 1, refused=(float(answers[429] + answers[503]), "answers"))
