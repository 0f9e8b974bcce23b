"""What the report says, part by part."""

import dataclasses
import statistics

from study.report.parts import Part, Table

from ..functions import MULTI_STAGE, ORIGINAL, VARIANTS
from . import factors, paper

DOCKER = "docker"
SHOWN = {"docker": "Docker", "containerd": "containerd 2.1", "paceline-fixed:3": "Paceline, 3 streams",
         "paceline-adaptive": "Paceline, adaptive"}


@dataclasses.dataclass
class Context:
    pulls: object
    machine: dict
    layers: list
    links: list
    failures: list
    remarks: str


def _mb(size):
    return f"{size / 1e6:.0f}" if size >= 1e7 else f"{size / 1e6:.1f}"


def _seconds(value):
    return "–" if value is None else f"{value:.2f}"


def _percent(value):
    return "–" if value is None else f"{value:.0f} %"


def _shown(system):
    return SHOWN.get(system, system)


def all_of(context):
    return [part for part in (
        _result(context), _remarks(context), _sizes(context), _docker_times(context), _systems(context), _explained(context),
        _saved_by(context), _medians(context), _layers(context), _differences(), _how(context)) if part is not None]


def _largest(pulls, link, system):
    """(Saving, function) of the largest share of its pull time that a function saves."""
    found = [(saving.percent, function, saving) for function in pulls.functions()
             if (saving := pulls.time_saving(function, link, system)) is not None]
    return max(found)[1:] if found else None


def _mean_percent(savings):
    found = [saving.percent for saving in savings if saving is not None]
    return statistics.mean(found) if found else None


def _result(context):
    pulls = context.pulls
    rows = [["average size reduction, unpacked", f"{paper.SIZE_PERCENT} %",
             _percent(_mean_percent(pulls.size_saving(function) for function in pulls.functions()))],
            ["average size reduction, as transferred", "–",
             _percent(_mean_percent(pulls.size_saving(function, "compressed") for function in pulls.functions()))]]
    for system in pulls.systems():
        for link in pulls.links():
            largest = _largest(pulls, link, system)
            if largest is None:
                continue
            function, saving = largest
            mean = _mean_percent(pulls.time_saving(function, link, system) for function in pulls.functions())
            rows.append([f"largest pull-time reduction, {_shown(system)}, {link}", f"{paper.TIME_PERCENT} %" if system == DOCKER else "–",
                         f"{saving.percent:.0f} %: {function}, {saving.before:.1f} → {saving.after:.1f} s (average {mean:.0f} %)"])
    fewest, most = pulls.repetitions()
    return Part("Result", [
        f"{len(pulls.rows)} cold pulls of {len(pulls.functions())} functions, "
        + (f"{fewest} of each kind" if fewest == most else f"{fewest} to {most} of each kind")
        + ". Times are medians. The paper's figures are Docker's."], [Table(["what", "paper", "here"], rows)])


def _remarks(context):
    blocks = context.remarks.strip().split("\n\n") if context.remarks.strip() else []
    return Part("What it says", [block if block.startswith("- ") else block.replace("\n", " ") for block in blocks]) if blocks else None


def _sizes(context):
    pulls, rows = context.pulls, []
    for function in pulls.functions():
        before, after = (pulls.shape(function, variant) for variant in VARIANTS)
        theirs = paper.FUNCTIONS.get(function, (None, None, None))
        rows.append([function, f"{_mb(before.uncompressed)} → {_mb(after.uncompressed)}", _percent(pulls.size_saving(function).percent),
                     f"{theirs[0] * 1000:.0f} → {theirs[1] * 1000:.0f}" if theirs[0] else "–",
                     f"{_mb(before.compressed)} → {_mb(after.compressed)}", _percent(pulls.size_saving(function, "compressed").percent),
                     f"{before.files} → {after.files}", f"{before.layers} → {after.layers}", f"{before.ratio:.2f} → {after.ratio:.2f}"])
    return Part("Size, original → multi-stage", [
        "Megabytes. Unpacked: the layers' tars; as transferred: gzip. Files are entries that are no directories; compressibility is unpacked "
        "over transferred."],
        [Table(["function", "unpacked", "less", "paper", "transferred", "less", "files", "layers", "compressibility"], rows)], figures="sizes")


def _docker_times(context):
    pulls, rows = context.pulls, []
    if DOCKER not in pulls.systems():
        return None
    for function in pulls.functions():
        row = [function]
        for link in pulls.links():
            saving = pulls.time_saving(function, link, DOCKER)
            row += ["–", "–"] if saving is None else [
                f"{saving.before:.1f} → {saving.after:.1f}", f"{saving.amount:.1f} s, {saving.percent:.0f} %"]
        rows.append([*row, f"{paper.FUNCTIONS[function][2]} s" if function in paper.FUNCTIONS else "–"])
    head = ["function"] + [text for link in pulls.links() for text in (link, "saved")] + ["paper: saved"]
    return Part("Pull time with Docker, original → multi-stage", ["`time docker pull` into an empty store, as in the paper; seconds."],
                [Table(head, rows)], figures="times")


def _systems(context):
    pulls, rows = context.pulls, []
    for link in pulls.links():
        for function in pulls.functions():
            for variant in VARIANTS:
                row = [link, function, variant]
                base = pulls.median(function, variant, link, DOCKER)
                for system in pulls.systems():
                    found = pulls.median(function, variant, link, system)
                    ratio = f" ({found / base:.2f})" if found and base and system != DOCKER else ""
                    row.append(_seconds(found) + ratio)
                rows.append(row)
    return Part("The same with each system", [
        "Median seconds, and in brackets the ratio to Docker's. Every pull ends with the image unpacked. Paceline is the store and the "
        "snapshotter of a containerd 2.1."],
        [Table(["link", "function", "variant", *map(_shown, pulls.systems())], rows)], figures="systems")


def _explained(context):
    pulls, rows = context.pulls, []
    names = [*factors.OF_THE_IMAGE, *factors.OF_THE_LINK]
    for system in pulls.systems():
        own = [row for row in pulls.rows if row["system"] == system]
        kinds = [(link, [row for row in own if row["link"] == link], factors.OF_THE_IMAGE) for link in pulls.links()]
        kinds.append(("all links", own, factors.OF_THE_IMAGE | factors.OF_THE_LINK))
        for link, some, chosen in kinds:
            found = factors.explained(some, chosen)
            if found is None:
                continue
            shares = found.shares()
            rows.append([_shown(system), link, str(found.rows), f"{found.r2():.3f}",
                         *(f"{100 * shares[name]:.0f} ({100 * found.r2([name]):.0f})" if name in shares else "–" for name in names)])
    if not rows:
        return None
    return Part("How much of the variance of pull times each factor explains", [
        "Linear regression of seconds. A factor's first figure is its share of R² in percent, averaged over every order in which the "
        "factors can be added (Lindeman, Merenda and Gold): the shares sum up to R². In brackets: R² with this factor alone. The "
        "factors hang together, as large images have many files and layers, too: what two of them explain together is shared between them, and no regression "
        "over this many images can tell them apart for certain. Round-trip time is 35 ms on both emulated links and none on loopback."],
        [Table(["system", "link", "pulls", "R²", *names], rows)])


def _saved_by(context):
    pulls, tables = context.pulls, []
    rows = []
    for system in pulls.systems():
        fit = factors.seconds_by_amount([row for row in pulls.rows if row["system"] == system])
        if fit is None:
            continue
        for link in pulls.links():
            for function in pulls.functions():
                saving = pulls.time_saving(function, link, system)
                if saving is None:
                    continue
                parts = factors.parts_of_saving(fit, *(pulls.row(function, variant, link, system) for variant in VARIANTS))
                rows.append([_shown(system), link, function, f"{saving.amount:.1f}", f"{sum(parts.values()):.1f}",
                             *(f"{parts[name]:.1f}" for name in factors.AMOUNTS), f"{fit.r2:.3f}"])
    if rows:
        tables.append(Table(["system", "link", "function", "saved s", "by the fit", *(f"by {name}" for name in factors.AMOUNTS), "R²"], rows))
    direct = _wire_and_node(pulls)
    if direct:
        tables.insert(0, Table(["system", "link", "function", "saved s", "on loopback already", "by the link"], direct))
    return tables and Part("What the saved seconds are made of", [
        "First by measurement alone: what a function saves on loopback is saved on the node (inflate, verify, write, create files) and at "
        "the registry; what it saves beyond that on a link is bytes that need not cross it. Then by a fit with slopes that are not "
        "negative, of all pulls of one system: seconds per second that the link needs for the bytes, per megabyte transferred (verify, "
        "inflate), per megabyte unpacked, per file, per layer, times what the stages removed; R² is that of the fit."],
        tables) or None


def _wire_and_node(pulls):
    rows = []
    for system in pulls.systems():
        for link in pulls.links():
            for function in pulls.functions():
                near, far = pulls.time_saving(function, "loopback", system), pulls.time_saving(function, link, system)
                if link != "loopback" and near and far:
                    rows.append([_shown(system), link, function, f"{far.amount:.1f}", f"{near.amount:.1f}", f"{far.amount - near.amount:.1f}"])
    return rows


def _medians(context):
    pulls, rows = context.pulls, []
    for link in pulls.links():
        for function in pulls.functions():
            for variant in VARIANTS:
                for system in pulls.systems():
                    found = pulls.seconds(function, variant, link, system)
                    if found:
                        rows.append([link, function, variant, system, _seconds(statistics.median(found)), _seconds(min(found)),
                                     _seconds(max(found)), str(len(found))])
    return Part("Every median and its spread", [], [
        Table(["link", "function", "variant", "system", "median s", "min s", "max s", "pulls"], rows)], page_only=True, folded=True)


def _layers(context):
    rows = [[row["function"], row["variant"], row["layer"], _mb(int(row["compressed_bytes"])), _mb(int(row["uncompressed_bytes"])), row["files"],
             " ".join(row["made_by"].split())[:160]] for row in context.layers]
    return Part("Layer by layer", [], [Table(["function", "variant", "layer", "MB transferred", "MB unpacked", "files", "made by"], rows)],
                page_only=True, folded=True) if rows else None


def _differences():
    return Part("What differs from the paper", ["\n".join(f"- {text}" for text in paper.DIFFERENCES)])


def _how(context):
    machine = context.machine
    rows = [[name, str(machine[name])] for name in ("date", "system", "kernel", "cpu", "cores", "memory_gib") if name in machine]
    rows += [[name, line] for name, line in machine.get("versions", {}).items()]
    loads = [float(row["load1"]) for row in context.links]
    if loads:
        rows.append(["load average during pulls", f"median {statistics.median(loads):.1f}, most {max(loads):.1f}"])
    late = [float(row["lateness_p99_us"]) for row in context.links if row["link"] != "loopback"]
    if late:
        rows.append(["a packet's delay beyond the link's, 99th percentile",
                     f"median {statistics.median(late):.0f} µs, most {max(late):.0f} µs"])
    rows.append(["pulls that failed and do not count", str(len(context.failures))])
    return Part("How it was measured", [
        "Each image was built with buildah, checked by running its handler, and pushed to a docker-registry. Each pull was a fresh "
        "daemon's with an empty store, alone on the machine, after the disk had settled; the registry's files were in memory. Time is "
        "the client command's, from start to end: `docker pull`, `ctr images pull`. Docker: three layers at a time, its "
        "default; containerd 2.1: its transfer service as it comes. The order was shuffled, block by block: all variants and systems of one function over one link follow each other.",
        "Emulated links carry their rate as on a wire, framing included (94 % of it is payload), with one bandwidth-delay product of queue."],
        [Table(["machine", ""], rows)])
