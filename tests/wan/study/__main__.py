"""The command line: `run.sh run`, `run.sh report`, `run.sh images`."""

import argparse
import os
import pathlib
import shutil
import signal
import sys
import time

from . import BUILD, DOCS, images, machine, plan
from .cells import GRIDS
from .results import Results
from .schedule import simulated_seconds

EPILOG = """examples:
  run.sh run --quick                                    everything once in two minutes, results under build/wan/quick
  run.sh run --grid paper --dry-run                     what would be measured, and how long it would take
  run.sh run --grid paper --budget 60                   an hour of it; the same again goes on where that stopped
  run.sh run --grid modern --cells '*/150ms/*' --systems 'paceline=*' aria2
  run.sh report                                         tables, plots and page of what docs/study/concurrency.csv holds
"""


def parser():
    top = argparse.ArgumentParser(prog="run.sh", description="How long image pulls take on an emulated WAN, with this daemon and with its peers.",
                                  epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measures; goes on where it was stopped", epilog=EPILOG,
                              formatter_class=argparse.RawDescriptionHelpFormatter)
    run.add_argument("--grid", nargs="+", choices=["paper", "modern"], default=["paper", "modern"])
    run.add_argument("--quick", action="store_true", help="a few tiny cells, to see that everything works")
    run.add_argument("--cells", nargs="+", metavar="PATTERN", help="e.g. '10Mbps/35ms/*', '*/loss0.1/*' (see --dry-run --verbose)")
    run.add_argument("--systems", nargs="+", metavar="PATTERN", help="e.g. paceline 'docker=3' 'aria2*'")
    run.add_argument("--tiers", type=int, default=2, metavar="N",
                     help="0: our own engine's important settings; 1: and the peers' best; 2: and the rest (default)")
    run.add_argument("--reps", type=int, help="repetitions of each pull (default: 5, 3 and 1 for the paper's sizes; 3)")
    run.add_argument("--lanes", type=int, default=32, help="most pulls at once (default: %(default)s)")
    run.add_argument("--cores", type=float, default=0.65 * os.cpu_count(),
                     help="most CPU that all pulls at once are expected to take (default: 65 %% of the machine, %(default)s)")
    run.add_argument("--budget", type=float, metavar="MINUTES", help="starts nothing that would not end in this time")
    run.add_argument("--seed", type=int, default=1, help="of the order (default: %(default)s)")
    run.add_argument("--csv", type=pathlib.Path, help="default: docs/study/concurrency.csv")
    run.add_argument("--work", type=pathlib.Path, default=BUILD / "work", help="folder for stores; the disk that is measured")
    run.add_argument("--dry-run", action="store_true", help="prints the plan and the time it would take")
    run.add_argument("--verbose", action="store_true", help="with --dry-run: cell by cell")
    report = commands.add_parser("report", help="tables, plots and page of the rows there are")
    report.add_argument("--csv", type=pathlib.Path, default=DOCS / "concurrency.csv")
    report.add_argument("--out", type=pathlib.Path, help="folder of the page (default: the CSV's)")
    made = commands.add_parser("images", help="makes the images beforehand")
    made.add_argument("--grid", nargs="+", choices=list(GRIDS), default=["paper", "modern"])
    return top


def needed_images(jobs):
    return sorted({job.cell.image for job in jobs})


def print_plan(jobs, options):
    for rep in sorted({job.rep for job in jobs}):
        ours = [job for job in jobs if job.rep == rep]
        until = simulated_seconds([job for job in jobs if job.rep <= rep], options.cores, options.lanes)
        print(f"repetition {rep}: {len(ours)} jobs, {sum(len(job.pulls) for job in ours)} pulls, "
              f"{sum(job.cell.bytes * len(job.pulls) for job in ours) / 1e9:.1f} GB; done after about {until / 60:.0f} min")
        if not options.verbose:
            continue
        for cell in sorted({job.cell for job in ours}, key=str):
            here = [job for job in ours if job.cell == cell]
            print(f"  {str(cell):40} {len(here):3} jobs, {sum(job.seconds for job in here):7.0f} s  "
                  + " ".join(f"{job.system}={job.setting}" for job in sorted(here, key=lambda job: (job.system, job.setting))))


def usable(systems):
    found = {}
    for name, system in systems.items():
        if missing := system.missing():
            print(f"{name} is left out: not there: {', '.join(missing)}", file=sys.stderr)
        else:
            found[name] = system
    return found


def run(options):
    from harness.pacelined import BIN
    from .systems import SYSTEMS

    grids = ["quick"] if options.quick else options.grid
    csv_path = options.csv or (BUILD / "quick" / "concurrency.csv" if options.quick else DOCS / "concurrency.csv")
    if options.quick and not options.csv:
        shutil.rmtree(csv_path.parent, ignore_errors=True)
    systems = usable(SYSTEMS)
    results = Results(csv_path)
    jobs = plan.jobs(grids, systems, results, options.cells, options.systems, options.reps, options.seed,
                     options.tiers)
    if options.dry_run:
        print_plan(jobs, options)
        return 0
    if not jobs:
        print("nothing left to measure")
        return 0
    return measure(options, jobs, systems, results, csv_path, BIN)


def measure(options, jobs, systems, results, csv_path, paceline_bin):
    from .driver import Driver, clock
    from .systems import trail

    if os.geteuid() != 0:
        raise SystemExit("the study makes network namespaces: run it as root")
    begin = time.monotonic()
    say = lambda line: print(f"{clock(time.monotonic() - begin)} {line}", flush=True)
    pushed = images.ensure(needed_images(jobs), BUILD, say)
    trail.prepare()
    machine.write(csv_path.with_name("machine.json"), paceline_bin)
    expected = simulated_seconds(jobs, options.cores, options.lanes)
    say(f"{len(jobs)} jobs, about {expected / 60:.0f} min")
    driver = Driver(jobs, systems, pushed, results, BUILD, options.work, options.cores, options.lanes, options.budget, say)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: driver.stop.set())
    driver.run()
    say(f"{driver.finished} jobs ran, {driver.failures} failed, {driver.left} left; rows in {csv_path}")
    if options.quick:
        from .report import write_report
        write_report(csv_path, csv_path.parent)
        return 1 if driver.failures or driver.left else 0
    return 0


def main():
    options = parser().parse_args()
    if options.command == "run":
        return run(options)
    if options.command == "images":
        images.ensure(sorted({cell.image for grid in options.grid for cell in GRIDS[grid]()}), BUILD)
        return 0
    from .report import write_report
    for path in write_report(options.csv, options.out or options.csv.parent):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
