"""The command line: `run.sh`."""

import argparse
import contextlib
import json
import os
import pathlib
import sys

from contention.node import fresh
from harness.processes import wait_until

from .cases import CASES
from .place import Unavailable, place_of, slow_disk

EPILOG = """examples:
  run.sh                                 all cases in about two minutes, and a table
  run.sh --only "10 Mbps" --keep /tmp/x  one case; its record as JSON in that folder
"""


def parse(argv):
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(prog="run.sh", description="Stages bottlenecks, and asks `paceline explain` for them.",
                                     epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="CASE", help=", ".join(names))
    parser.add_argument("--keep", type=pathlib.Path, metavar="DIR", help="for the records")
    return parser.parse_args(argv)


def explained(node, case, name):
    """The record of one prefetch, with its bottleneck and the evidence."""
    options = ["--unpack"] if case.files else []
    node.daemon.cli("prefetch", *options, node.reference(name), timeout=180)
    listed = wait_until(lambda: node.daemon.cli_json("report", "--pulls"), "the record")
    return node.daemon.cli_json("explain", listed[0]["pull_id"])[0]


def stage(case):
    name = case.image()
    settings = {"snapshotter__enabled": True} if case.files else {}
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(place_of(case))
        slow_down = None
        if case.disk_bytes_per_second:
            folder, slow_down = stack.enter_context(slow_disk(place.directory / "slow", case.disk_bytes_per_second))
            settings["store__content"] = str(folder / "content")
        node = stack.enter_context(fresh(place, **settings))
        if slow_down:
            slow_down(node.daemon.process.pid)
        return explained(node, case, name)


def main(argv):
    options = parse(argv)
    if os.geteuid() != 0:
        sys.exit("run.sh: needs root, to make network namespaces")
    wrong, lines = 0, []
    for case in [case for case in CASES if case.name in options.only]:
        try:
            record = stage(case)
        except Unavailable as error:
            lines.append(f"{case.name:28}  {case.bottleneck:14}  -               {error}")
            continue
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            (options.keep / (case.name.replace(" ", "-").replace("/", "-") + ".json")).write_text(json.dumps(record, indent=1) + "\n")
        right = record["bottleneck"] == case.bottleneck
        wrong += not right
        lines.append(f"{case.name:28}  {case.bottleneck:14}  {record['bottleneck']:14}  {'' if right else 'WRONG: '}"
                     f"{record['verdict']} {'; '.join(record['evidence'])}")
        print(lines[-1], flush=True)
    print(f"\n{'case':28}  {'staged':14}  {'explain':14}  says\n" + "\n".join(lines))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
