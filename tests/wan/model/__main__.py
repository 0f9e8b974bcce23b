"""The command line: `run.sh`."""

import argparse
import json
import os
import pathlib
import sys
import time

from . import BUILD, RESULTS
from .follow import follow
from .paths import NAMED, PATHS
from .shapes import SHAPES
from .validate import summary, validate

EPILOG = """examples:
  run.sh validate                        all images over all paths, about a quarter of an hour; docs/results/model.csv
  run.sh validate --reps 1 --csv /tmp/model.csv
  run.sh advice app=/path/to/layout      slims the image as `paceline analyze` advises; docs/results/advice.csv. Wants what
                                         validate has measured, which the model is fitted to
"""


def parse(argv):
    parser = argparse.ArgumentParser(prog="run.sh", description="The pull-time model, measured over emulated paths.", epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("validate", help="predicted beside measured pulls")
    check.add_argument("--paths", nargs="+", choices=sorted(NAMED), metavar="PATH", default=[path.name for path in PATHS])
    advice = commands.add_parser("advice", help="images slimmed as advised")
    advice.add_argument("images", nargs="+", metavar="NAME=LAYOUT")
    advice.add_argument("--path", choices=sorted(NAMED), default="100mbps-35ms")
    for command, name in ((check, "model.csv"), (advice, "advice.csv")):
        command.add_argument("--reps", type=int, default=3, help="pulls of each image; their median counts (default: %(default)s)")
        command.add_argument("--csv", type=pathlib.Path, default=RESULTS / name)
    return parser.parse_args(argv)


def say(text):
    print(text, flush=True)


def run_advice(options):
    known = BUILD / "records.jsonl"
    if not known.exists():
        sys.exit("run.sh: the model has nothing to be fitted to: run.sh validate comes first")
    records = [json.loads(line) for line in known.read_text().splitlines()]
    images = dict(each.split("=", 1) for each in options.images)
    rows = follow(images, NAMED[options.path], records, options.reps, options.csv, say)
    for name, path, _, before, after, saved, expected, error, before_bytes, after_bytes in rows:
        say(f"{name} over {path}: {before_bytes / 1e6:.0f} -> {after_bytes / 1e6:.0f} MB, {before:.2f} -> {after:.2f} s; saved {saved:.2f} s, "
            f"predicted {expected:.2f} s ({100 * error:+.0f} %)")
    return 0


def main(argv):
    options = parse(argv)
    if os.geteuid() != 0:
        sys.exit("run.sh: needs root, to make network namespaces")
    began = time.monotonic()
    if options.command == "advice":
        return run_advice(options)
    rows = validate([NAMED[name] for name in options.paths], SHAPES, options.reps, options.csv, say)
    for row in rows:
        say(f"{row[0]:9}  {row[1]:18}  {row[2]:13}  measured {row[4]:7.2f} s  predicted {row[5]:7.2f} s  {100 * row[6]:+6.1f} %")
    say(f"\n{summary(rows, 'fitted')}\n{summary(rows, 'predicted')}\n{time.monotonic() - began:.0f} s: {options.csv}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
