#!/usr/bin/python3
"""CPU time of the daemon for a pull, with metrics, records and a scrape each second, against neither of them.

Whole cold pulls of images of random bytes by `ctr` over loopback; each run has a fresh daemon and containerd and pulls each image
once. The two settings take turns, the first of a pair by lot. Counted is the CPU time, user and system, of the daemon's process
alone, by its own clock (clock_gettime), from after a first small pull to the end of the last. The report is of pairs: the
median of their relative differences, and its 95 % interval (bootstrap over pairs).

That difference holds all costs, and all noise of the machine, whose speed swings by a fifth from run to run. containerd, which reads
what the daemon serves and knows nothing of the setting, swings with it: hence the same comparison also in units of its CPU time. Beside
both stands what can be measured by itself: the time of the threads that join and write records and that listen to containerd's events,
and that of one scrape (the mean of 100 in a row), as often as one was asked for.

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
COLUMNS = ["setting", "pair", "pulls", "megabytes", "cpu_ms_per_pull", "containerd_cpu_ms_per_pull", "seconds_per_pull", "scrapes",
           "threads_ms_per_pull", "scrape_ms"]
THREADS = {"pl-records", "pl-events"}  # Which there are for records only.
SCRAPES_IN_A_ROW = 100
SETTINGS = {"off": {"metrics.enabled": False, "records.enabled": False}, "on": {"metrics.enabled": True, "records.enabled": True}}


def cpu_ns(pid):
    """Of all threads of the process, also of those that have ended: clock_getcpuclockid(3)."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def threads_ns(pid, names):
    """Of the threads with these names, by the scheduler: /proc/PID/task/TID/schedstat."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            if (task / "comm").read_text().strip() in names:
                total += int((task / "schedstat").read_text().split()[0])
        except OSError:
            pass  # It has ended.
    return total


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
    """(CPU ms of the daemon, of containerd, seconds, scrapes, CPU ms of records' threads) of all pulls together, and the CPU ms of one
    scrape."""
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
            reader = containerd.process.pid
            cpu, read, threads, begin = cpu_ns(pid), cpu_ns(reader), threads_ns(pid, THREADS), time.monotonic()
            for reference in references:
                containerd.pull(reference)
            seconds, scrapes = time.monotonic() - begin, scraper.count
            cpu, read, threads = cpu_ns(pid) - cpu, cpu_ns(reader) - read, threads_ns(pid, THREADS) - threads
        finally:
            if setting == "on":
                scraper.__exit__()
        return cpu / 1e6, read / 1e6, seconds, scrapes, threads / 1e6, scrape_ms(daemon) if setting == "on" else 0
    finally:
        containerd.close()
        daemon.close()


def compared(on, off, resamples=10_000):
    """Median over the pairs of what is more with them than without, in parts, and its 95 % interval."""
    chance, more = random.Random(1), [a / b - 1 for a, b in zip(on, off)]
    medians = sorted(statistics.median(chance.choices(more, k=len(more))) for _ in range(resamples))
    return statistics.median(more), medians[int(0.025 * resamples)], medians[int(0.975 * resamples)]


def judged(rows):
    by_setting = {setting: sorted((row for row in rows if row["setting"] == setting), key=lambda row: row["pair"]) for setting in SETTINGS}
    cpu = {setting: [row["cpu_ms_per_pull"] for row in each] for setting, each in by_setting.items()}
    in_units = {setting: [row["cpu_ms_per_pull"] / row["containerd_cpu_ms_per_pull"] for row in each] for setting, each in by_setting.items()}
    base = statistics.fmean(cpu["off"])
    said = [f"CPU of the daemon for a pull: {base:.1f} ms without, {statistics.fmean(cpu['on']):.1f} ms with metrics, records and scrapes; "
            f"{len(cpu['on'])} pairs"]
    for name, values in (("by the clock", cpu), ("in units of containerd's CPU", in_units)):
        part, low, high = compared(values["on"], values["off"])
        verdict = "within" if high <= PROMISED else "MISSES" if low > PROMISED else "cannot be told from"
        said.append(f"{name}: {100 * part:+.2f} % (95 %: {100 * low:+.2f} to {100 * high:+.2f} %), {verdict} {100 * PROMISED:.0f} %")
    on = by_setting["on"]
    threads = statistics.fmean(row["threads_ms_per_pull"] for row in on)
    scrapes = statistics.fmean(row["scrape_ms"] * row["scrapes"] / row["pulls"] for row in on)
    said.append(f"by themselves: records' threads {threads:.2f} ms a pull, scrapes {scrapes:.2f} ms a pull "
                f"({statistics.fmean(row['scrape_ms'] for row in on):.2f} ms each): {100 * (threads + scrapes) / base:.2f} %")
    return "\n".join(said)


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
                cpu, read, seconds, scrapes, threads, each = run_once(work / "run", setting, warm, references)
                shutil.rmtree(work / "run")
                row = [setting, pair, len(references), options.megabytes, round(cpu / len(references), 2),
                       round(read / len(references), 2), round(seconds / len(references), 3), scrapes,
                       round(threads / len(references), 3), round(each, 3)]
                rows.append(dict(zip(COLUMNS, row)))
                print(f"#{pair} {setting:3} {row[4]:8.2f} CPU ms (containerd {row[5]:.2f}), {row[6]:5.2f} s a pull, {scrapes} scrapes", file=sys.stderr, flush=True)
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
