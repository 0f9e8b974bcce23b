"""The command line: `run.sh run`, `run.sh build`, `run.sh export`, `run.sh report`."""

import argparse
import os
import pathlib
import re
import shutil
import signal
import sys
import time

from . import BUILD, CACHE, DOCS
from .functions import ALL, NAMED, TINY, VARIANTS
from .links import LINKS

EPILOG = """examples:
  run.sh build                                      builds and pushes what is not there yet, into ~/.cache/paceline/images
  run.sh run --budget 30m                           measures for half an hour; the same again goes on where that stopped
  run.sh run --dry-run                              what would be measured, and how long it would take
  run.sh run --functions 'ml-*' --links 1Gbps-35ms --reps 3 --csv /tmp/ml.csv
  run.sh run --quick                                two tiny images over loopback, in less than a minute
  run.sh report                                     tables, plots and page of what docs/study/images.csv holds
  run.sh export sn-compose-post original /tmp/oci   an image as an OCI layout
"""


def minutes(text):
    """30, 30m, 2h, 90s → minutes."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: 30m, 2h and 90s are")
    return float(found[1]) * {"s": 1 / 60, "": 1, "m": 1, "h": 60}[found[2]]


def parser():
    top = argparse.ArgumentParser(prog="run.sh", description="How long function images take to pull, as they are and in several stages.",
                                  epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(dest="command", required=True)
    some = argparse.ArgumentParser(add_help=False)
    some.add_argument("--functions", nargs="+", metavar="PATTERN", help=f"of {', '.join(function.name for function in ALL)}")
    some.add_argument("--cache", type=pathlib.Path, default=CACHE, help="folder of the images (default: %(default)s)")
    commands.add_parser("build", parents=[some], help="builds, checks and pushes the images")
    export = commands.add_parser("export", parents=[some], help="writes one image as an OCI layout")
    export.add_argument("function", choices=list(NAMED))
    export.add_argument("variant", choices=VARIANTS)
    export.add_argument("folder", type=pathlib.Path)
    run = commands.add_parser("run", parents=[some], help="builds, and measures; goes on where it was stopped", epilog=EPILOG,
                              formatter_class=argparse.RawDescriptionHelpFormatter)
    run.add_argument("--quick", action="store_true", help="two tiny functions, to see that everything works")
    run.add_argument("--links", nargs="+", choices=list(LINKS), default=list(LINKS))
    run.add_argument("--systems", nargs="+", metavar="PATTERN", help="e.g. docker 'paceline-*'")
    run.add_argument("--reps", type=int, default=10, help="repetitions of each pull (default: %(default)s)")
    run.add_argument("--budget", type=minutes, metavar="TIME", help="e.g. 30m: starts nothing that would not end in this time")
    run.add_argument("--seed", type=int, default=1, help="of the order (default: %(default)s)")
    run.add_argument("--csv", type=pathlib.Path, help="default: docs/study/images.csv")
    run.add_argument("--work", type=pathlib.Path, default=BUILD / "work",
                     help="folder for stores; the disk that is measured. On ext4 files made soon after others were deleted cost more CPU, "
                          "for every system: a tmpfs there leaves the disk out")
    run.add_argument("--dry-run", action="store_true", help="builds, and prints the plan and the time it would take")
    report = commands.add_parser("report", help="tables, plots and page of the rows there are")
    report.add_argument("--csv", type=pathlib.Path, default=DOCS / "images.csv")
    report.add_argument("--out", type=pathlib.Path, help="folder of the page (default: the CSV's)")
    return top


def chosen(options, functions):
    from .plan import matches
    found = [function for function in functions if matches(function.name, options.functions)]
    if not found:
        raise SystemExit(f"no function is called {' or '.join(options.functions)}")
    return found


def usable(patterns):
    from .plan import matches
    from .systems import SYSTEMS, Named
    found = {}
    for name in SYSTEMS:
        if not matches(name, patterns):
            continue
        system = Named(name)
        if missing := system.missing():
            print(f"{name} is left out: not there: {', '.join(missing)}", file=sys.stderr)
        else:
            found[name] = system
    return found


def print_plan(jobs):
    until = 0.0
    for rep in sorted({job.rep for job in jobs}):
        ours = [job for job in jobs if job.rep == rep]
        until += sum(job.seconds for job in ours)
        print(f"repetition {rep}: {len(ours)} pulls, {sum(job.cell.bytes for job in ours) / 1e9:.1f} GB; done after about {until / 60:.0f} min")


def run(options):
    from . import plan
    from .results import Results
    from .shelf import Shelf

    if os.geteuid() != 0:
        raise SystemExit("the study builds images and makes network namespaces: run it as root")
    csv_path = options.csv or (BUILD / "quick" / "images.csv" if options.quick else DOCS / "images.csv")
    if options.quick and not options.csv:
        shutil.rmtree(csv_path.parent, ignore_errors=True)
    every = TINY if options.quick else ALL
    functions = chosen(options, every)
    say = teller()
    shelf = Shelf(options.cache, say)
    images = shelf.ensure(functions)
    systems, results = usable(options.systems), Results(csv_path)
    reps, links = (1, ["loopback"]) if options.quick else (options.reps, options.links)
    jobs = plan.jobs(images, systems, results.done, reps, links, options.seed)
    if options.dry_run:
        print_plan(jobs)
        return 0
    if not jobs:
        print("nothing left to measure")
        return 0
    results.about({key: image for key, image in shelf.known().items() if NAMED[image.function] in every})
    shelf.warm(images.values())
    return measure(options, jobs, systems, images, results, shelf.folder, say)


def teller():
    from study.driver import clock
    begin = time.monotonic()
    # A line in one piece: images are built side by side.
    return lambda line: print(f"{clock(time.monotonic() - begin)} {line}\n", end="", flush=True)


def measure(options, jobs, systems, images, results, images_folder, say):
    from harness import versions
    from harness.pacelined import BIN
    from study import machine
    from study.driver import Driver
    from study.systems import trail
    from .place import Place

    trail.prepare()
    machine.write(results.path.with_name(f"{results.path.stem}-machine.json"), BIN, {
        "containerd 2.1": str(versions.all_versions()["forky"]), "buildah": machine.first_line("buildah", "--version"),
        "file system of the stores": machine.first_line("findmnt", "--noheadings", "--output", "FSTYPE", "--target", options.work)})
    say(f"{len(jobs)} pulls, about {sum(job.seconds for job in jobs) / 60:.0f} min")
    driver = Driver(jobs, systems, images, results, images_folder, options.work, os.cpu_count(), 1, options.budget, say,
                    first_lane=FIRST_LANE, site_type=Place)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: driver.stop.set())
    driver.run()
    say(f"{driver.finished} pulls ran, {driver.failures} failed, {driver.left} left; rows in {results.path}")
    if options.quick:
        from .report import write_report
        write_report(results.path, results.path.parent)
        return 1 if driver.failures or driver.left else 0
    return 0


FIRST_LANE = 140  # The study of the WAN has those from 100 on, as many as it runs side by side.


def main():
    options = parser().parse_args()
    if options.command == "run":
        return run(options)
    if options.command == "report":
        from .report import write_report
        for path in write_report(options.csv, options.out or options.csv.parent):
            print(path)
        return 0
    from .shelf import Shelf
    shelf = Shelf(options.cache, teller())
    if options.command == "build":
        shelf.ensure(chosen(options, ALL))
    else:
        print(shelf.export(NAMED[options.function], options.variant, options.folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
