"""The paper's Figures 3–5: one a place, pull time over the number of layers at once. Without matplotlib there are none."""

import statistics

from ..cells import PAPER_RTTS
from . import drawing, maths
from .pulls import FIXED

SIZES = {"equal-10MB": ("10 MB", "#0b57a4"), "equal-100MB": ("100 MB", "#b4540a"), "equal-500MB": ("500 MB", "#2f7d32")}


def figures(pulls):
    """Part → [SVG]."""
    if not drawing.ready():
        return {}
    places = [(rtt, place) for rtt, place in PAPER_RTTS.items() if any(cell.rtt_ms == rtt for cell in pulls.cells("paper"))]
    return {"paper": [_place(pulls, rtt, place) for rtt, place in places]}


def _line(axes, pulls, cell, system, prefix, **style):
    points = []
    for setting in pulls.settings(cell, system):
        if setting.startswith(prefix):
            found = pulls.values(cell, system, setting)
            middle = statistics.median(found)
            points.append((int(setting.removeprefix(prefix)), middle, middle - min(found), max(found) - middle))
    if points:
        streams, middles, below, above = zip(*sorted(points))
        axes.errorbar(streams, middles, yerr=(below, above), capsize=2, markersize=4, linewidth=1.4, **style)


def _place(pulls, rtt, place):
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(8.6, 4.6))
    for cell in pulls.cells("paper"):
        if cell.rtt_ms != rtt:
            continue
        size, colour = SIZES[cell.image]
        _line(axes, pulls, cell, "docker", "", color=colour, marker="s", linestyle="-", alpha=0.55, label=f"{size} Docker")
        _line(axes, pulls, cell, maths.OURS, FIXED, color=colour, marker="o", linestyle="-", label=f"{size} Paceline, fixed")
        adaptive = pulls.median(cell, maths.OURS, "adaptive")
        if adaptive is not None:
            axes.axhline(adaptive, color=colour, linestyle="--", linewidth=1, label=f"{size} Paceline, adaptive")
        axes.axhline(pulls.wire_limit(cell), color=colour, linestyle=":", linewidth=0.8)
    axes.set(title=f"{place}: {rtt} ms, 10 Mbps", xlabel="layers (Paceline: ranges) at once", ylabel="seconds", yscale="log",
             xticks=range(1, 11))
    axes.grid(alpha=0.25, which="both")
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return drawing.inline_svg(figure, f"p{rtt}")
