#!/usr/bin/python3
"""Milliseconds that `paceline report` and `paceline explain` take, with many cold-start records on a daemon.

usage: report.py [--bin DIR] [--reps N] [--records N] [--csv FILE]
"""

import argparse
import csv
import json
import pathlib
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGES, LAYERS, CHANGES = 60, 12, 20
POLICIES = ("adaptive", "fixed:3", "fixed:5")
COMMANDS = {
    "report": ["report"],
    "report --by image": ["report", "--by", "image"],
    "report --pulls": ["report", "--pulls"],
    "explain": ["explain", "0000000000"],
}


class Daemon:
    """A daemon with nothing but its API. A context manager."""

    def __init__(self, binaries, work):
        self._binaries, self._work = binaries, work

    def cli(self, *arguments):
        return subprocess.run([self._binaries / "paceline", "--address", self._work / "sock", *arguments], capture_output=True)

    def __enter__(self):
        with open(self._work / "log", "w") as log:
            self._process = subprocess.Popen([self._binaries / "pacelined", "--config", self._work / "config.toml", "--root",
                                              self._work / "root", "--address", self._work / "sock"], stdout=log, stderr=log)
        for _ in range(600):
            if self.cli("version").returncode == 0:
                return self
            time.sleep(0.1)
        sys.exit(f"report.py: the daemon was not ready within a minute:\n{(self._work / 'log').read_text()[-2000:]}")

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(30)


def record(number, chance):
    """As a pull of some layers leaves it, in full: docs/records.md."""
    pull = chance.lognormvariate(8, 0.6)
    return {
        "pull_id": f"{number:010x}", "image": f"registry.example/team/app-{number % IMAGES}:1", "registry": "registry.example",
        "policy": POLICIES[number % len(POLICIES)], "source": "foreground", "state": "done",
        "started_unix_ms": int(time.time() * 1000) - 1000 * number, "pull_ms": pull, "cold_start_ms": pull + 800,
        "total_bytes": 80_000_000, "fetched_bytes": 80_000_000, "lower_bound_ms": pull / 1.4,
        "phases": [{"name": "resolve", "start_ms": 0, "end_ms": pull / 10}, {"name": "fetch", "start_ms": pull / 10, "end_ms": pull}],
        "layers": [{"digest": "sha256:" + f"{chance.getrandbits(256):064x}", "size_bytes": 6_000_000, "origin": "fetched",
                    "located_ms": 10, "first_byte_ms": 20, "last_byte_ms": pull, "verified_ms": pull, "unpack_start_ms": 30,
                    "unpack_end_ms": pull} for _ in range(LAYERS)],
        "streams": [{"at_ms": 100 * i, "host": "registry.example:443", "streams": i + 1, "reason": "ramp_double"} for i in range(CHANGES)],
        "hosts": [{"host": "registry.example:443", "rtt_ms": 20, "queue_ms": 30, "first_byte_ms": 2, "best_bytes_per_second": 2e7,
                   "stream_bytes_per_second": 4e6, "segments": 60000, "out_of_order_segments": 10, "throttled": 0, "silent_ms": 0}],
    }


def fill(database, count):
    """Straight into the table, which the daemon has made."""
    chance = random.Random(1)
    columns = ("pull_id", "started_ms", "image", "registry", "policy", "source", "state", "mixed", "pull_us", "cold_start_us",
               "total_bytes", "fetched_bytes", "lower_bound_us", "json")
    with sqlite3.connect(database) as connection:
        for number in range(count):
            one = record(number, chance)
            values = (one["pull_id"], one["started_unix_ms"], one["image"], one["registry"], one["policy"], one["source"], one["state"],
                      0, int(one["pull_ms"] * 1000), int(one["cold_start_ms"] * 1000), one["total_bytes"], one["fetched_bytes"],
                      int(one["lower_bound_ms"] * 1000), json.dumps(one))
            connection.execute(f"INSERT INTO records ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", values)
    connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--csv", type=pathlib.Path, default=ROOT / "docs" / "results" / "report.csv")
    options = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp())
    rows = []
    try:
        (work / "config.toml").write_text(
            "version = 1\n[mirror]\nenabled = false\n[metrics]\nenabled = false\n[containerd]\naddress = \"\"\n")
        with Daemon(options.bin, work):
            pass  # It makes the table.
        fill(work / "root" / "records" / "records.db", options.records)
        with Daemon(options.bin, work) as daemon:
            for rep in range(1, options.reps + 1):
                for name, command in COMMANDS.items():
                    begin = time.monotonic()
                    done = daemon.cli(*command)
                    rows.append((options.records, name, rep, round((time.monotonic() - begin) * 1000, 1)))
                    if done.returncode != 0:
                        sys.exit(f"report.py: paceline {name}: {done.stderr.decode()}")
    finally:
        shutil.rmtree(work)
    with open(options.csv, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("records", "command", "rep", "milliseconds"), *rows])
    for name in COMMANDS:
        times = [row[3] for row in rows if row[1] == name]
        print(f"{options.records} records, paceline {name}: {statistics.median(times):.0f} ms ({min(times):.0f} to {max(times):.0f})")


if __name__ == "__main__":
    main()
