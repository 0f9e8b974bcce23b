"""Two equal pulls at once: of one node, and of two nodes that share a link. Each gets its half."""

import contextlib

from lane import LinkSpec

from ..images import MB, ensure
from ..node import Node, fresh
from ..place import Place
from ..records import at_most, figure

SCENARIO = "side-by-side"
LINKS = (LinkSpec(10, 100), LinkSpec(100, 35))
LAYERS = 5
LAYER_BYTES = {10: 500_000, 100: 5 * MB}
MOST_APART = 1.15  # of one node's pulls; two nodes know nothing of each other: their shares are TCP's


def _two_nodes(place, names):
    with contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(Node(place, f"node-{i}")) for i in range(2)]
        place.fresh()
        asked = [node.pull([name]) for node, name in zip(nodes, names)]
        return [node.wait(one)[name] for node, one, name in zip(nodes, asked, names)]


def measure(records, reps):
    for spec in LINKS:
        names = ensure("pair", 2, LAYERS, LAYER_BYTES[spec.rate_mbps])
        with Place(spec) as place:
            for rep in range(1, reps + 1):
                with fresh(place) as node:
                    alone = node.wait(node.pull(names[:1]))[names[0]]
                    records.add(SCENARIO, spec, "alone", rep, seconds=(alone, "s"))
                with fresh(place) as node:
                    _record(records, spec, "one-node", rep, list(node.wait(node.pull(names)).values()))
                _record(records, spec, "two-nodes", rep, _two_nodes(place, names))
        link = f"{spec.rate_mbps:g} Mbps/{spec.rtt_ms:g} ms"
        alone = records.median(SCENARIO, spec, "alone", "seconds")
        for case in ("one-node", "two-nodes"):
            apart, what = records.median(SCENARIO, spec, case, "ratio"), f"two pulls, {case}, {link}: slower / faster"
            records.promise(
                at_most(what, apart, MOST_APART) if case == "one-node" else figure(what, apart),
                figure(f"two pulls, {case}, {link}: slower / alone", records.median(SCENARIO, spec, case, "slower") / alone),
                figure(f"two pulls, {case}, {link}: faster / alone", records.median(SCENARIO, spec, case, "faster") / alone))


def _record(records, spec, case, rep, seconds):
    records.add(SCENARIO, spec, case, rep, faster=(min(seconds), "s"), slower=(max(seconds), "s"),
                ratio=(max(seconds) / min(seconds), ""))


def check(records):
    names = ensure("check", 2, 2, 250_000)
    with Place(LinkSpec(40, 10)) as place, fresh(place) as node:
        seconds = node.wait(node.pull(names))
        records.add(SCENARIO, place.spec, "check", 1, done=(float(len(seconds)), "pulls"))
