#!/usr/bin/python3
"""Whole cold pulls over loopback, layers unpacked: containerd with its own store and overlayfs, and with the daemon as store and
snapshotter, on each containerd version, by CRI and by ctr; beside them the floor, `igzip -d | tar -x` of two layers at once.

Every pull has fresh folders on the file system under test; before it what is dirty is written, the caches are dropped and the
registry's files read back into them, for every system alike. Systems take turns in each repetition. CPU time is that of
containerd, the daemon, the client and all their children; memory the peaks of containerd and the daemon added up.

The client `ctr` unpacks by itself with 1.6 and 1.7; with 2 it is the transfer service that pulls. `--before` measures another build
of the daemon beside, as system `paceline-before`; `--differ` also pulls by `ctr` with the daemon as differ of containerd's own
snapshotter, as `paceline-differ` (not with 1.6).

usage: cold_pull.py [--quick] [--reps N] [--fs ext4 tmpfs] [--versions bookworm trixie forky] [--clients cri ctr]
                    [--before FOLDER] [--differ] [--csv FILE]
"""

import argparse
import csv
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "integration")]

from file_system import FileSystem  # noqa: E402
from harness import pacelined, versions  # noqa: E402
from harness.containerd import Containerd  # noqa: E402
from harness.cri import ImageService  # noqa: E402
from harness.debian_image import SMALL, DebianImage  # noqa: E402
from harness.pacelined import Pacelined  # noqa: E402
from harness.registry import Registry, push  # noqa: E402
from process_usage import children_cpu, cpu_of, peak_of  # noqa: E402

PROMISED = {"1.6": 0.30, "2.": 0.35}  # Of containerd alone, by its version.
OF_FLOOR = 2.0
COLUMNS = ["fs", "system", "version", "client", "rep", "seconds", "cpu_seconds", "peak_rss_kib"]


def say(text):
    print(text, file=sys.stderr, flush=True)


def settle(registry_data):
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
    for path in sorted(registry_data.rglob("data")):
        with open(path, "rb") as file:
            while file.read(1 << 22):
                pass


class Bench:
    def __init__(self, work, image, registry, before):
        self.work, self.image, self.registry = work, image, registry
        self.builds = {"paceline": pacelined.BIN, "paceline-differ": pacelined.BIN, "paceline-before": before}
        self.reference = f"{registry.host}/debian:latest"

    def pull(self, directory, version, client, system):
        """(seconds, CPU seconds, peak KiB) of one cold pull by `client`."""
        daemon = None
        options = {"cri": client == "cri"}
        if system != "containerd":
            pacelined.BIN = self.builds[system]
            daemon = Pacelined(directory / "paceline", {"snapshotter.enabled": True}, log_level="info").start()
            unpacker = "differ" if system == "paceline-differ" else "snapshotter"
            options |= {"store": daemon.address, "mirror_port": daemon.mirror_port, unpacker: daemon.address}
        containerd = Containerd(version, directory / "containerd", **options).start()
        try:
            processes = [each.process.pid for each in (containerd, daemon) if each]
            settle(self.work / "registry" / "data")
            cpu = sum(map(cpu_of, processes)) + children_cpu()
            begin = time.monotonic()
            if client == "cri":
                service = ImageService(containerd.address)
                service.pull(self.reference, timeout=900)
                service.close()
            else:
                containerd.pull(self.reference, timeout=900, local=system == "paceline-differ")
            seconds = time.monotonic() - begin
            return seconds, sum(map(cpu_of, processes)) + children_cpu() - cpu, sum(map(peak_of, processes))
        finally:
            containerd.close()
            if daemon:
                daemon.close()

    def floor(self, directory):
        """What two shells can do: the layers are at hand, and nothing is fetched, verified or committed."""
        directory.mkdir(parents=True)
        settle(self.work / "registry" / "data")
        cpu, begin = children_cpu(), time.monotonic()
        script = 'mkdir -p "$0/$1" && igzip -d -c "$2" | tar -C "$0/$1" -x --numeric-owner --same-permissions -f -'
        blobs = self.work / "registry/data/docker/registry/v2/blobs/sha256"  # The files that the others are served from.
        digests = [layer["digest"].removeprefix("sha256:") for layer in self.image.described]
        lines = "".join(f"{number} {blobs}/{each[:2]}/{each}/data\n" for number, each in enumerate(digests))
        subprocess.run(["xargs", "-P", "2", "-L", "1", "sh", "-c", script, directory], input=lines, text=True, check=True)
        return time.monotonic() - begin, children_cpu() - cpu, ""


def judged(ratio, promised):
    return f"{ratio:.2f}" + (f" ({'within' if ratio <= promised else 'MISSES'} {promised:.2f})" if promised else "")


def summary(rows):
    """Medians, and the ratios that are promised."""
    groups = {}
    for row in rows:
        groups.setdefault((row["fs"], row["client"], row["version"], row["system"]), []).append(row)
    median = lambda key, column: statistics.median(float(row[column]) for row in groups[key])
    lines = [f"{'fs':6} {'client':6} {'version':9} {'system':15} {'seconds':>8} {'CPU s':>7} {'MiB':>6}"]
    for key in sorted(groups):
        peak = f"{median(key, 'peak_rss_kib') / 1024:6.0f}" if groups[key][0]["peak_rss_kib"] != "" else ""
        lines.append(f"{key[0]:6} {key[1]:6} {key[2]:9} {key[3]:15} {median(key, 'seconds'):8.2f} "
                     f"{median(key, 'cpu_seconds'):7.2f} {peak}")
    for fs, client, version, system in sorted(groups):
        if not system.startswith("paceline"):
            continue
        promises = system == "paceline"
        ours = median((fs, client, version, system), "seconds")
        ratios = []
        if (fs, client, version, "containerd") in groups:
            promised = next((limit for prefix, limit in PROMISED.items() if promises and version.startswith(prefix)), None)
            ratio = ours / median((fs, client, version, "containerd"), "seconds")
            ratios.append(f"{judged(ratio, promised)} of containerd {version}")
        if (fs, "", "", "floor") in groups:
            ratio = ours / median((fs, "", "", "floor"), "seconds")
            ratios.append(f"{judged(ratio, OF_FLOOR if promises else None)} of igzip | tar")
        lines.append(f"{fs} {client}: {system} under containerd {version}: " + ", ".join(ratios))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small image, one repetition, one version: does it all work?")
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--fs", nargs="+", default=["ext4", "tmpfs"])
    parser.add_argument("--versions", nargs="+", default=["bookworm", "trixie", "forky"])
    parser.add_argument("--clients", nargs="+", default=["cri", "ctr"])
    parser.add_argument("--before", type=pathlib.Path, help="folder of another build's pacelined and paceline")
    parser.add_argument("--differ", action="store_true", help="also with the daemon as differ, by ctr")
    parser.add_argument("--csv", type=pathlib.Path, default=ROOT / "docs" / "results" / "unpack.csv")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / "bench", help="kept: the image; its disk is measured")
    options = parser.parse_args()
    if options.quick:
        options.reps, options.fs, options.versions = 1, ["tmpfs"], ["bookworm"]
        options.csv = options.work / "unpack-quick.csv"

    options.work.mkdir(parents=True, exist_ok=True)
    name = "debian-small" if options.quick else "debian"
    image = DebianImage(options.work / name, SMALL if options.quick else None)
    say(f"image: {image}")
    work = options.work / "cold-pull"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    found = versions.all_versions()
    rows, opened = [], []
    try:
        registry = Registry(work / "registry")
        opened.append(registry)
        push(registry.host, image, "debian")
        bench = Bench(work, image, registry, options.before)
        runs = [("floor", None, "")]
        systems = ["containerd", "paceline"] + ["paceline-before"] * (options.before is not None)
        runs += [(system, found[suite], client) for suite in options.versions for client in options.clients
                 for system in systems]
        if options.differ:
            runs += [("paceline-differ", found[suite], "ctr") for suite in options.versions if suite != "bookworm"]
        order = random.Random(1)
        for kind in options.fs:
            file_system = FileSystem(kind, work)
            opened.append(file_system)
            for rep in range(1, options.reps + 1):
                for system, version, client in order.sample(runs, len(runs)):
                    directory = file_system.mount / "run"
                    if system == "floor":
                        measured = bench.floor(directory)
                    else:
                        measured = bench.pull(directory, version, client, system)
                    shutil.rmtree(directory)
                    row = [kind, system, version.number if version else "", client, rep, round(measured[0], 3),
                           round(measured[1], 2), measured[2]]
                    rows.append(dict(zip(COLUMNS, row)))
                    say(f"{kind} #{rep} {system:15} {row[2]:8} {client:4} {row[5]:7.2f} s  {row[6]:7.2f} CPU s")
            opened.pop().close()
    finally:
        for each in reversed(opened):
            (each.close if hasattr(each, "close") else each.stop)()
        shutil.rmtree(work, ignore_errors=True)
    options.csv.parent.mkdir(parents=True, exist_ok=True)
    with open(options.csv, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    print(summary(rows))


if __name__ == "__main__":
    main()
