"""From the rows of a study to its page: pulls.py reads, maths.py compares, sections.py words it, plots.py draws, page.py and
markdown.py write. What other studies' reports share: parts.py, drawing.py, page.py, markdown.py."""

import csv
import json

from . import markdown, page, plots, sections
from .pulls import Pulls

TITLE = "Pulls on an emulated WAN"
SOURCE = ("Written by `tests/wan/study/run.sh report` from [concurrency.csv](concurrency.csv); plots, spreads and wire limits are in "
          "[concurrency.html](concurrency.html).")


def _json_beside(csv_path, name):
    path = csv_path.with_name(name)
    return json.loads(path.read_text()) if path.exists() else {}


def _rows_beside(csv_path, name):
    path = csv_path.with_name(name)
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def write_report(csv_path, out):
    """Writes concurrency.html and concurrency.md into `out`; returns their paths."""
    if not csv_path.exists():
        raise SystemExit(f"{csv_path} is not there: `run.sh run` makes it")
    pulls = Pulls.read(csv_path, _rows_beside(csv_path, "streams.csv"))
    if not pulls.cells():
        raise SystemExit(f"{csv_path} holds no pull")
    remarks = csv_path.with_name("remarks.md")
    context = sections.Context(pulls, _json_beside(csv_path, "machine.json"), _rows_beside(csv_path, "failures.csv"),
                               remarks.read_text() if remarks.exists() else "")
    parts = sections.all_of(context)
    out.mkdir(parents=True, exist_ok=True)
    written = [out / "concurrency.html", out / "concurrency.md"]
    written[0].write_text(page.render(TITLE, parts, plots.figures(pulls)))
    written[1].write_text(markdown.render(TITLE, SOURCE, parts))
    return written
