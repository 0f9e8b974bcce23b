"""What the report of this study says, part by part."""

import collections
import dataclasses
import statistics

from . import maths
from .parts import Part, Table
from .pulls import FIXED


@dataclasses.dataclass
class Context:
    pulls: object
    machine: dict
    failures: list
    remarks: str


def _seconds(value):
    return "–" if value is None else f"{value:.2f}" if value < 100 else f"{value:.1f}"


def _ratio(ratio, bound=None):
    if ratio is None:
        return "–"
    return f"{'!' if bound and round(ratio.value, 2) > bound else ''}{ratio.value:.2f}"


def _percent(value):
    return "–" if value is None else f"{value:.1f} %"


def all_of(context):
    return [part for part in (
        _verdicts(context), _remarks(context), _table_1(context), _figures(context), _ratios(context, "paper"),
        _ratios(context, "modern"), _ratios(context, "quick"), _misses(context), _wire(context), _streams(context), _harm(context),
        _medians(context), _how(context)) if part is not None]


def _verdicts(context):
    rows = []
    for target in maths.targets(context.pulls):
        bound = f"≤ {target.bound:.2f}" + (f", median ≤ {target.median_bound:.2f}" if target.median_bound else "")
        met = len(target.ratios) - len(target.misses)
        worst = max(target.ratios, key=lambda ratio: ratio.value)
        rows.append([target.name, bound, f"{'' if target.met else '!'}{met} of {len(target.ratios)}",
                     f"{target.median:.2f}", f"{worst.value:.2f} ({worst.cell})"])
    pulls = context.pulls
    return Part("Result", [f"{pulls.count()} pulls in {len(pulls.cells())} cells. Each ratio is of medians within one cell; "
                           "below 1 means that the adaptive pull was faster."],
                [Table(["what", "target", "cells that meet it", "median", "worst"], rows)])


def _remarks(context):
    return Part("What it says", [block.replace("\n", " ") if not block.startswith("- ") else block
                                 for block in context.remarks.strip().split("\n\n")]) if context.remarks.strip() else None


def _table_1(context):
    rows = [[f"{place} ({rtt} ms)", f"{cell.bytes / 1e6:g} MB", _percent(paper), _percent(docker), _percent(ours)]
            for place, rtt, cell, paper, docker, ours in maths.table_1(context.pulls)]
    return rows and Part("The paper's Table 1: how much the slowest number of layers at once loses against the fastest", [
        "The paper measured Docker against registries in three places over the Internet; here the link is emulated at the same round "
        "trip with 10 Mbps, without other traffic. Paceline's column is its engine at fixed numbers of streams."],
        [Table(["place", "image", "paper (Docker)", "Docker here", "Paceline fixed"], rows)]) or None


def _figures(context):
    return Part("Pull time over the number of layers at once (the paper's Figures 3–5)", [
        "Docker: max-concurrent-downloads. Paceline: fixed streams, which are byte ranges; the dashed line is its adaptive first pull, "
        "the dotted one the wire limit. Bars span the repetitions."], figures="paper", page_only=True) \
        if context.pulls.cells("paper") else None


def _ratios(context, grid):
    pulls, rows = context.pulls, []
    for cell in pulls.cells(grid):
        best = pulls.best(cell, maths.OURS, FIXED)
        first, second = (maths.against_fixed(pulls, cell, pull) for pull in ("first", "second"))
        row = [str(cell), _seconds(pulls.wire_limit(cell)), f"{_seconds(best[0])} ({best[1]})" if best else "–",
               _seconds(pulls.median(cell, maths.OURS, "adaptive")), _ratio(first, 1.10), _ratio(second, 1.05)]
        for peer in maths.FETCHERS + maths.UNPACKERS:
            row.append(_ratio(maths.against_peer(pulls, cell, peer), 1.00 if peer in maths.MUST_BEAT else None))
        rows.append(row)
    if not rows:
        return None
    head = ["cell", "wire limit s", "best fixed s", "adaptive s", "first / fixed", "second / fixed",
            *(f"/ {peer}" for peer in maths.FETCHERS + maths.UNPACKERS)]
    return Part(f"Cell by cell: the {grid} grid", [
        "Against aria2, curl and skopeo, which only download, `paceline prefetch` is compared, which fetches, verifies and syncs; against "
        "Docker and containerd, which unpack, the pull of a containerd 2.1 with Paceline as its store and snapshotter. Each peer at its "
        "best setting. Marked: misses its target."], [Table(head, rows)])


def _misses(context):
    rows = []
    for target in maths.targets(context.pulls):
        rows += [[target.name, str(ratio.cell), f"{ratio.value:.2f}", f"{target.bound:.2f}", ratio.against] for ratio in target.misses]
    failures = collections.Counter((row["system"], row["setting"], row["error"][:90]) for row in context.failures)
    tables = [Table(["target", "cell", "ratio", "bound", "against"], rows)] if rows else []
    if failures:
        tables.append(Table(["system", "setting", "failure", "times"],
                            [[*what, str(times)] for what, times in sorted(failures.items())]))
    return Part("What misses its target", ["Every cell that does, worst first within each target." if rows else "No cell does.",
                                           *(["Pulls that failed are not among the figures:"] if failures else [])], tables)


def _wire(context):
    pulls, rows = context.pulls, []
    for cell in pulls.cells():
        limit = pulls.wire_limit(cell)
        over = lambda seconds: "–" if seconds is None else f"{seconds / limit:.2f}"
        best = lambda system: (pulls.best(cell, system) or [None])[0]
        rows.append([str(cell), _seconds(limit), over(pulls.median(cell, maths.OURS, "adaptive")),
                     over(pulls.median(cell, maths.OURS, "adaptive", "second")), over((pulls.best(cell, maths.OURS, FIXED) or [None])[0]),
                     *(over(best(peer)) for peer in maths.FETCHERS + maths.UNPACKERS)])
    return Part("Over the wire limit", ["Seconds over (bytes × 1538/1448 / rate + RTT). With a cap per connection or with loss the limit is "
                                        "still the bare link's."],
                [Table(["cell", "limit s", "adaptive first", "adaptive second", "best fixed", *maths.FETCHERS, *maths.UNPACKERS], rows)],
                page_only=True, folded=True)


def _streams(context):
    pulls, rows, counts = context.pulls, [], collections.Counter()
    for cell in pulls.cells():
        last = pulls.median(cell, maths.OURS, "adaptive", "first", "streams_last")
        if last is None:
            continue
        again = pulls.median(cell, maths.OURS, "adaptive", "second", "streams_last")
        counts["within" if maths.in_paper_range(last) else "fewer" if last < 5 else "more"] += 1
        value = lambda column, form="{:.1f}": (lambda found: "–" if found is None else form.format(found))(
            pulls.median(cell, maths.OURS, "adaptive", "first", column))
        reasons = collections.Counter(pulls.texts(cell, maths.OURS, "adaptive"))
        rows.append([str(cell), f"{last:g}", "–" if again is None else f"{again:g}", value("streams_mean"), value("path_rtt_ms"),
                     value("goodput_mbps"), " ".join(reason for reason, _ in reasons.most_common(2)),
                     "yes" if maths.in_paper_range(last) else "no"])
    if not rows:
        return None
    return Part("The number of streams the controller chose", [
        f"At the end of a first pull: five to seven, as the paper advises, in {counts['within']} cells, fewer in {counts['fewer']}, more in "
        f"{counts['more']}. A stream here is a byte range, the paper's is a layer."],
        [Table(["cell", "last, first pull", "last, second", "mean", "RTT seen ms", "goodput Mbps", "last reason", "5–7"], rows)], folded=True)


def _harm(context):
    pulls = context.pulls
    columns = []
    for cell in pulls.cells():
        for system in pulls.systems(cell):
            for setting in pulls.settings(cell, system):
                if (system, setting) not in columns:
                    columns.append((system, setting))
    rows, sums = [], collections.defaultdict(list)
    for cell in pulls.cells():
        for system, setting in columns:
            lost = pulls.median(cell, system, setting, column="retrans_pct")
            held = pulls.median(cell, system, setting, column="connections_max")
            if lost is None:
                continue
            own = lost if not cell.loss_pct else None  # Random loss is the link's doing.
            sums[system, setting, f"{cell.rate:g} Mbps"].append((own, held))
            rows.append([str(cell), system, setting, f"{lost:.2f}", "–" if held is None else f"{held:g}"])
    rates = sorted({key[2] for key in sums}, key=lambda text: float(text.split()[0]))
    summary = []
    for system, setting in sorted(columns):
        row = [system, setting]
        for rate in rates:
            lost = [own for own, _ in sums[system, setting, rate] if own is not None]
            held = [value for _, value in sums[system, setting, rate] if value is not None]
            row += [f"{statistics.mean(lost):.2f}" if lost else "–", f"{statistics.median(held):g}" if held else "–"]
        summary.append(row)
    head = ["system", "setting"] + [f"{rate}: {what}" for rate in rates for what in ("loss %", "connections")]
    return Part("What the speed costs others: packet loss and connections", [
        "Segments dropped on the link per segment sent down: the mean over the cells without random loss, so that it is the pull's own doing "
        "(its queue overran). Connections: the most open at once, median over the cells."],
        [Table(head, summary)])


def _medians(context):
    pulls, rows = context.pulls, []
    for cell in pulls.cells():
        for system in pulls.systems(cell):
            for pull in ("first", "second"):
                for setting in pulls.settings(cell, system, pull):
                    found = pulls.values(cell, system, setting, pull)
                    rows.append([str(cell), system, setting, pull, _seconds(statistics.median(found)), _seconds(min(found)),
                                 _seconds(max(found)), str(len(found)),
                                 *(f"{pulls.median(cell, system, setting, pull, column) or 0:.2f}" for column in
                                   ("streams_mean", "streams_last", "retrans_pct"))])
    return Part("Every median and its spread", [], [Table(
        ["cell", "system", "setting", "pull", "median s", "min s", "max s", "pulls", "streams mean", "streams last", "lost %"], rows)],
        page_only=True, folded=True)


def _how(context):
    machine, loads = context.machine, context.pulls.loads()
    rows = [[name, str(machine[name])] for name in ("date", "system", "kernel", "cpu", "cores", "memory_gib") if name in machine]
    rows += [[name, line] for name, line in machine.get("versions", {}).items()]
    rows.append(["load average during pulls", f"median {statistics.median(loads):.1f}, most {max(loads):.1f}"])
    return Part("How it was measured", [
        "Each pull ran between two network namespaces joined by the link emulator of tests/wan, TCP cubic at both ends, from a real "
        "docker-registry over plain HTTP, into an empty store of a daemon started for it; remembered TCP metrics were flushed. A second "
        "pull is that of a restarted daemon that remembers the path and has no blob. Time is the client command's, from start to end. "
        "Several pulls ran side by side, each on a link of its own, as long as the sum of what they were expected to carry was small; "
        "pulls over 1 Gbps without cap and loss ran alone. The order was shuffled.",
        "Layers are gzipped tars of random bytes. `paceline prefetch` fetches, verifies and syncs to disk; aria2 and curl know the blobs' "
        "addresses beforehand and verify nothing; skopeo writes a folder."], [Table(["machine", ""], rows)])
