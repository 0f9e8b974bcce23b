"""After the paper's Figures 2–4: sizes, pull times with Docker, and (here) with every system. Without matplotlib there are none."""

import statistics

from study.report import drawing

from ..functions import MULTI_STAGE, ORIGINAL, VARIANTS
from .sections import DOCKER, SHOWN

COLOURS = {ORIGINAL: "#b4540a", MULTI_STAGE: "#0b57a4"}
SYSTEM_COLOURS = {"docker": "#6e7781", "containerd": "#8250df", "paceline-fixed:3": "#2f7d32", "paceline-adaptive": "#0b57a4"}
WIDTH = 0.38


def figures(pulls):
    """Part → [SVG]."""
    if not drawing.ready():
        return {}
    found = {"sizes": [_sizes(pulls)], "systems": [_systems(pulls, link) for link in pulls.links()]}
    if DOCKER in pulls.systems():
        found["times"] = [_times(pulls, link) for link in pulls.links()] + [_reductions(pulls)]
    return found


def _grouped(axes, names, series, width):
    """Bars side by side. `series`: [(label, colour, [value or None], [(below, above)])]"""
    for number, (label, colour, values, spans) in enumerate(series):
        at = [index + (number - (len(series) - 1) / 2) * width for index in range(len(names))]
        errors = [[span[0] for span in spans], [span[1] for span in spans]] if spans else None
        axes.bar(at, [value or 0 for value in values], width, yerr=errors, capsize=2, color=colour, label=label)
    axes.set_xticks(range(len(names)), names, rotation=15, ha="right", fontsize=8)
    axes.grid(alpha=0.25, axis="y")
    axes.legend(fontsize=8)


def _span(found):
    middle = statistics.median(found) if found else 0
    return (middle - min(found), max(found) - middle) if found else (0, 0)


def _sizes(pulls):
    from matplotlib import pyplot
    names = pulls.functions()
    figure, axes = pyplot.subplots(figsize=(8.6, 4.2))
    _grouped(axes, names, [(variant, COLOURS[variant], [pulls.shape(name, variant).uncompressed / 1e6 for name in names], None)
                           for variant in VARIANTS], WIDTH)
    axes.set(title="Size (after Figure 2)", ylabel="MB, unpacked")
    return drawing.inline_svg(figure, "sizes")


def _times(pulls, link):
    from matplotlib import pyplot
    names = pulls.functions()
    figure, axes = pyplot.subplots(figsize=(8.6, 4.2))
    _grouped(axes, names, [(variant, COLOURS[variant], [pulls.median(name, variant, link, DOCKER) for name in names],
                            [_span(pulls.seconds(name, variant, link, DOCKER)) for name in names]) for variant in VARIANTS], WIDTH)
    axes.set(title=f"docker pull over {link} (after Figure 3)", ylabel="seconds")
    return drawing.inline_svg(figure, f"times-{link}")


def _reductions(pulls):
    from matplotlib import pyplot
    names = pulls.functions()
    figure, axes = pyplot.subplots(figsize=(8.6, 4.2))
    series = [("size", "#6e7781", [pulls.size_saving(name).percent for name in names], None)]
    for link, colour in zip(pulls.links(), ("#0b57a4", "#2f7d32", "#b4540a")):
        savings = [pulls.time_saving(name, link, DOCKER) for name in names]
        series.append((f"pull time, {link}", colour, [saving and saving.percent for saving in savings], None))
    _grouped(axes, names, series, 0.8 / len(series))
    axes.set(title="Reduction by stages, Docker (after Figure 4)", ylabel="percent")
    return drawing.inline_svg(figure, "reductions")


def _systems(pulls, link):
    from matplotlib import pyplot
    names = pulls.functions()
    figure, panels = pyplot.subplots(1, 2, figsize=(11.5, 4.2), sharey=True)
    for axes, variant in zip(panels, VARIANTS):
        series = [(SHOWN.get(system, system), SYSTEM_COLOURS.get(system),
                   [pulls.median(name, variant, link, system) for name in names],
                   [_span(pulls.seconds(name, variant, link, system)) for name in names]) for system in pulls.systems()]
        _grouped(axes, names, series, 0.8 / len(series))
        axes.set(title=f"{variant}, {link}", ylabel="seconds")
    return drawing.inline_svg(figure, f"systems-{link}")
