"""matplotlib, as the reports use it: figures become SVG inside a page."""

import io
import re
import sys


def ready():
    """Whether matplotlib is there; sets it up."""
    try:
        import matplotlib
    except ImportError:
        print("no plots: python3-matplotlib is not installed", file=sys.stderr)
        return False
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "paceline"  # The same rows make the same file.
    return True


def inline_svg(figure, prefix):
    """The figure as an element of a page; it is closed. Inline SVG shares one name space: the figure's ids get the prefix."""
    from matplotlib import pyplot
    out = io.StringIO()
    figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
    svg = out.getvalue()
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r'id="([^"]+)"', rf'id="{prefix}-\1"', svg)
    return re.sub(r'(url\(#|href="#)', rf'\g<1>{prefix}-', svg)
