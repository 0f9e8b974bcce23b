#!/usr/bin/python3
"""CPU time of the daemon for a pull, with metrics, records and a scrape each second, against neither of them.

Whole cold pulls of images of random bytes by `ctr` over loopback; each run has a fresh daemon and containerd and pulls each image
once. The two settings take turns, the first of a pair by lot. Counted is the CPU time, user and system, of the daemon's process
alone, by its own clock (clock_gettime), from after a first small pull to the end of the last. The report is of pairs: the mean
difference in parts of the mean without, and its 95 % interval (bootstrap over pairs).

That difference holds all costs, and all noise of the machine. Beside it stands what can be measured by itself: the time of the thread
that joins and writes records, and that of one scrape (the mean of 100 in a row), as often as one was asked for.

usage: overhead.py [--quick] [--pairs N] [--images N] [--megabytes N] [--csv FILE]
"""

import argparse
import csv
import pathlib
import random
import shutil
import statistics
import sys
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "integration")]

from harness import versions  # noqa: E402
from harness.containerd import Containerd  # noqa: E402
from harness.images import MIB, make_image  # noqa: E402
from harness.pacelined import Pacelined  # noqa: E402
from harness.registry import Registry  # noqa: E402

LAYERS = 5
PROMISED = 0.01
COLUMNS = ["setting", "pair", "pulls", "megabytes", "cpu_ms_per_pull", "seconds_per_pull", "scrapes", "records_ms_per_pull", "scrape_ms"]
SCRAPES_IN_A_ROW = 100
SETTINGS = {"off": {"metrics.enabled": False, "records.enabled": False}, "on": {"metrics.enabled": True, "records.enabled": True}}


def cpu_ns(pid):
    """Of all threads of the process, also of those that have ended: clock_getcpuclockid(3)."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def thread_ns(pid, name):
    """Of the threads with that name, by the scheduler: /proc/PID/task/TID/schedstat."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks if (task / "comm").read_text().strip() == name)


def scrape(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        answer.read()


def scrape_ms(daemon):
    begin = cpu_ns(daemon.process.pid)
    for _ in range(SCRAPES_IN_A_ROW):
        scrape(daemon.metrics_port)
    return (cpu_ns(daemon.process.pid) - begin) / 1e6 / SCRAPES_IN_A_ROW


class Scraper:
    """Asks for the metrics each second, as Prometheus with a short interval does. A context manager."""

    def __init__(self, port):
        self.port, self.count = port, 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._end.wait(1):
            scrape(self.port)
            self.count += 1

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()


def run_once(work, setting, warm, references):
    """(CPU ms, seconds, scrapes, CPU ms of the records' thread) of all pulls together, and the CPU ms of one scrape."""
    daemon = Pacelined(work / "paceline", SETTINGS[setting], log_level="info")
    containerd = Containerd(versions.all_versions()["bookworm"], work / "containerd", store=daemon.address,
                            mirror_port=daemon.mirror_port)
    daemon.settings["containerd.address"] = containerd.address
    try:
        daemon.start()
        containerd.start()
        containerd.pull(warm)
        scraper = Scraper(daemon.metrics_port)
        if setting == "on":
            scraper.__enter__()
        try:
            pid = daemon.process.pid
            cpu, records, begin = cpu_ns(pid), thread_ns(pid, "pl-records"), time.monotonic()
            for reference in references:
                containerd.pull(reference)
            seconds, scrapes = time.monotonic() - begin, scraper.count
            cpu, records = cpu_ns(pid) - cpu, thread_ns(pid, "pl-records") - records
        finally:
            if setting == "on":
                scraper.__exit__()
        return cpu / 1e6, seconds, scrapes, records / 1e6, scrape_ms(daemon) if setting == "on" else 0
    finally:
        containerd.close()
        daemon.close()


def interval(differences, base, resamples=10_000):
    """95 % of the mean difference, in parts of `base`."""
    chance = random.Random(1)
    means = sorted(statistics.fmean(chance.choices(differences, k=len(differences))) / base for _ in range(resamples))
    return means[int(0.025 * resamples)], means[int(0.975 * resamples)]


def judged(rows):
    cpu = {setting: [row["cpu_ms_per_pull"] for row in rows if row["setting"] == setting] for setting in SETTINGS}
    base = statistics.fmean(cpu["off"])
    differences = [on - off for on, off in zip(cpu["on"], cpu["off"])]
    part = statistics.fmean(differences) / base
    low, high = interval(differences, base)
    said = "within" if high <= PROMISED else "MISSES" if low > PROMISED else "cannot be told from"
    on = [row for row in rows if row["setting"] == "on"]
    records = statistics.fmean(row["records_ms_per_pull"] for row in on)
    scrapes = statistics.fmean(row["scrape_ms"] * row["scrapes"] / row["pulls"] for row in on)
    alone = (f"by themselves: records {records:.2f} ms a pull, scrapes {scrapes:.2f} ms a pull "
             f"({statistics.fmean(row['scrape_ms'] for row in on):.2f} ms each): {100 * (records + scrapes) / base:.2f} %")
    return (f"CPU of the daemon for a pull: {base:.1f} ms without, {statistics.fmean(cpu['on']):.1f} ms with metrics, records and scrapes: "
            f"{100 * part:+.2f} % (95 %: {100 * low:+.2f} to {100 * high:+.2f} %), {said} {100 * PROMISED:.0f} %; {len(differences)} pairs\n{alone}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small images, two pairs: does it all work?")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--csv", type=pathlib.Path, default=ROOT / "docs" / "results" / "overhead.csv")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / "bench", help="its disk is measured with")
    options = parser.parse_args()
    if options.quick:
        options.pairs, options.images, options.megabytes = 2, 2, 20
        options.csv = options.work / "overhead-quick.csv"
    work = options.work / "overhead"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    order, rows = random.Random(1), []
    registry = Registry(work / "registry")
    try:
        warm = registry.push(make_image("warm", [MIB]), "warm")
        size = options.megabytes * 1_000_000 // LAYERS
        references = [registry.push(make_image(f"overhead-{number}", [size] * LAYERS), f"overhead-{number}")
                      for number in range(options.images)]
        for pair in range(1, options.pairs + 1):
            for setting in order.sample(list(SETTINGS), 2):
                cpu, seconds, scrapes, records, each = run_once(work / "run", setting, warm, references)
                shutil.rmtree(work / "run")
                row = [setting, pair, len(references), options.megabytes, round(cpu / len(references), 2),
                       round(seconds / len(references), 3), scrapes, round(records / len(references), 3), round(each, 3)]
                rows.append(dict(zip(COLUMNS, row)))
                print(f"#{pair} {setting:3} {row[4]:8.2f} CPU ms  {row[5]:6.2f} s a pull, {scrapes} scrapes", file=sys.stderr, flush=True)
    finally:
        registry.stop()
        shutil.rmtree(work, ignore_errors=True)
    options.csv.parent.mkdir(parents=True, exist_ok=True)
    with open(options.csv, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    print(judged(rows))


if __name__ == "__main__":
    main()
