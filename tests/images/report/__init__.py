"""From the rows to the page: pulls.py reads, factors.py and regression.py explain, sections.py words it, plots.py draws; page and
Markdown are written as the study of the WAN writes its own."""

import csv
import json

from study.report import markdown, page

from . import plots, sections
from .pulls import Pulls

TITLE = "Function images: as they are, and in several stages"


def _rows(path):
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def write_report(csv_path, out):
    """Writes NAME.html and NAME.md for NAME.csv into `out`; returns their paths."""
    if not csv_path.exists():
        raise SystemExit(f"{csv_path} is not there: `run.sh run` makes it")
    pulls = Pulls.read(csv_path)
    if not pulls.functions():
        raise SystemExit(f"{csv_path} holds no function of which both variants were pulled")
    name = csv_path.stem
    beside = lambda what: csv_path.with_name(f"{name}-{what}")
    machine, remarks = beside("machine.json"), beside("remarks.md")
    context = sections.Context(pulls, json.loads(machine.read_text()) if machine.exists() else {}, _rows(beside("layers.csv")),
                               _rows(beside("links.csv")), _rows(beside("failures.csv")), remarks.read_text() if remarks.exists() else "")
    parts = sections.all_of(context)
    source = (f"Written by `tests/images/run.sh report` from [{name}.csv]({name}.csv); plots, spreads and every layer are in "
              f"[{name}.html]({name}.html).")
    out.mkdir(parents=True, exist_ok=True)
    written = [out / f"{name}.html", out / f"{name}.md"]
    written[0].write_text(page.render(TITLE, parts, plots.figures(pulls)))
    written[1].write_text(markdown.render(TITLE, source, parts))
    return written
