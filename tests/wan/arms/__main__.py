"""The command line: `run.sh`."""

import argparse
import contextlib
import csv
import dataclasses
import os
import pathlib
import sys

from contention.place import Place
from harness.processes import wait_until
from harness.prometheus import Prometheus
from harness.versions import ROOT
from lane import LinkSpec

from . import experiment, figures

LANE = 62  # Beside contention's and explain's.
RESULTS = ROOT / "docs" / "results"
EPILOG = """examples:
  run.sh                          30 pulls in about three minutes, and docs/results/arms*.csv
  run.sh --quick --results /tmp   12 pulls of 4 images: does it all work?
  run.sh --link 100,80            another link: rate in Mbps, round trip in ms, Mbps of each connection, percent of loss
"""


def link(text):
    rate, rtt, cap, loss, *_ = [*map(float, text.split(",")), 0, 0]
    return LinkSpec(rate, rtt, cap_mbps=cap, loss_pct=loss)


def parse(argv):
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__, epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--link", type=link, default=link("200,40,20"), metavar="RATE,RTT[,CAP[,LOSS]]",
                        help="default: 200,40,20, a blob store that gives each connection 20 Mbps")
    parser.add_argument("--rounds", type=int, default=3, help="over all images; a multiple of the number of arms")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS)
    return parser.parse_args(argv)


def write_csv(file, rows):
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "w", newline="") as out:
        writer = csv.DictWriter(out, rows[0].keys())
        writer.writeheader()
        writer.writerows([{name: round(value, 1) if isinstance(value, float) else value for name, value in row.items()} for row in rows])


def summary(report, prometheus):
    rows = []
    for policy, own in report.items():
        other = prometheus[policy]
        rows.append({**dataclasses.asdict(own), "prometheus_pulls": other.pulls, "prometheus_mean_ms": other.mean_ms,
                     "prometheus_median_ms": other.median_ms, "prometheus_bucket_low_ms": other.bucket_low_ms,
                     "prometheus_bucket_high_ms": other.bucket_high_ms})
    return rows


def print_table(rows):
    print(f"\n{'policy':9} {'pulls':>5} {'mean':>8} {'median':>8} | Prometheus: {'pulls':>5} {'mean':>8} {'median':>8} (its bucket)")
    for row in rows:
        print(f"{row['policy']:9} {row['pulls']:5} {row['mean_ms']:8.1f} {row['median_ms']:8.1f} |             {row['prometheus_pulls']:5} "
              f"{row['prometheus_mean_ms']:8.1f} {row['prometheus_median_ms']:8.1f} "
              f"({row['prometheus_bucket_low_ms']:.0f} to {row['prometheus_bucket_high_ms']:.0f} ms)")


def watching(place, node):
    return Prometheus(place.directory / "prometheus", [f"127.0.0.1:{node.daemon.metrics_port}"], enter=place.lane.enter_client)


def main(argv):
    options = parse(argv)
    if os.geteuid() != 0:
        sys.exit("run.sh: needs root, to make network namespaces")
    names = experiment.image_names(options.quick)
    with Place(options.link, lane=LANE) as place, experiment.node_at(place) as node, contextlib.closing(watching(place, node)) as watch:
        experiment.pull_all(node, names, options.rounds)
        pulls = experiment.pulls_of(node)
        count = f"sum({figures.FAMILY}_count{figures.PULL})"
        wait_until(lambda: watch.query(count) and watch.value(count) == len(pulls), "the last pull in Prometheus")
        said = node.daemon.cli("report", "--source", "foreground").stdout
        report = figures.reported(node.daemon.cli_json("report", "--source", "foreground"), pulls)
        prometheus = figures.scraped(watch)
    print("\n" + said)
    wrong = figures.disagreements(report, prometheus)
    for line in wrong:
        print("DISAGREE: " + line)
    if not wrong:
        rows = summary(report, prometheus)
        print_table(rows)
        write_csv(options.results / "arms.csv", rows)
        columns = ("image", "policy", "pull_ms", "lower_bound_ms", "fetched_bytes")
        write_csv(options.results / "arms-pulls.csv", [{name: pull[name] for name in columns} for pull in pulls])
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
