"""The command line: `run.sh`."""

import argparse
import os
import pathlib
import sys
import time

from . import BUILD, CSV
from .records import Records
from .scenarios import ALL

EPILOG = """examples:
  run.sh                           everything in about ten minutes; docs/study/contention.csv and a table
  run.sh --quick                   in a minute: what must hold on any machine, by counters; no figures
  run.sh --only many throttle --csv /tmp/some.csv
"""


def parse(argv):
    parser = argparse.ArgumentParser(prog="run.sh", description="What pulls do to each other, and to servers that throttle.",
                                     epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="checks without timed targets, for CI")
    parser.add_argument("--only", nargs="+", choices=list(ALL), default=list(ALL), metavar="SCENARIO", help=", ".join(ALL))
    parser.add_argument("--reps", type=int, default=5, help="repetitions (default: %(default)s; long scenarios take half)")
    parser.add_argument("--csv", type=pathlib.Path, help="default: docs/study/contention.csv, but for a part of it build/wan/contention")
    return parser.parse_args(argv)


def main(argv):
    options = parse(argv)
    if os.geteuid() != 0:
        sys.exit("run.sh: needs root, to make network namespaces")
    part = options.quick or len(options.only) < len(ALL)
    path = options.csv or (BUILD / "part.csv" if part else CSV)
    records, began = Records(), time.monotonic()
    try:
        for name in options.only:
            if options.quick:
                ALL[name].check(records)
            else:
                ALL[name].measure(records, options.reps)
    finally:
        records.write(path)
    print(f"\n{records.table()}\n\n{len(records.rows)} measurements in {time.monotonic() - began:.0f} s: {path}")
    return 1 if records.missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
