#!/usr/bin/python3
"""Seconds, CPU seconds and peak memory of a fetch over loopback: the daemon against curl, sha256sum and sync.

Both fetch the same 1 GB from the same docker-registry onto the same file system, in turns, so that the ratio holds when
the machine's other load changes. A last row queues 100 pulls at once and reports the daemon's peak memory.

usage: fetch.py [--bin DIR] [--reps N] [--csv FILE] [--work DIR] [--mib N]
"""

import argparse
import csv
import dataclasses
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
MIB = 1 << 20


@dataclasses.dataclass
class FetchImage:
    """Blobs that are only fetched, never unpacked: what is measured is bytes."""
    layers: list

    def __post_init__(self):
        from harness.images import digest_of
        self.config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []},
                                  "salt": digest_of(self.layers[0])}).encode()
        describe = lambda kind, data: {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest_of(data),
                                       "size": len(data)}
        self.manifest = json.dumps({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": describe("config.v1+json", self.config),
            "layers": [describe("layer.v1.tar", data) for data in self.layers]}).encode()
        self.manifests = [("application/vnd.oci.image.manifest.v1+json", self.manifest)]
        self.blobs = {digest_of(data): data for data in [self.config, *self.layers]}


def random_bytes(seed, size):
    """The same bytes for the same seed."""
    source = random.Random(seed)
    return b"".join(source.randbytes(min(64 * MIB, size - at)) for at in range(0, size, 64 * MIB))


def usage_of(pid):
    """CPU seconds so far and peak resident KiB of a process."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), peak


def with_paceline(directory, reference, settings=None):
    from harness.pacelined import Pacelined
    daemon = Pacelined(directory, {"log.level": "warn", **(settings or {})}).start()
    try:
        cpu_before, _ = usage_of(daemon.process.pid)
        begin = time.monotonic()
        daemon.cli("prefetch", reference, timeout=600)
        seconds = time.monotonic() - begin
        cpu, peak = usage_of(daemon.process.pid)
        return seconds, cpu - cpu_before, peak
    finally:
        daemon.close()
        shutil.rmtree(directory, ignore_errors=True)


def with_curl(directory, host, repository, image):
    """curl -o, sha256sum, sync, one after the other, for each blob."""
    directory.mkdir(parents=True)
    begin, before = time.monotonic(), os.times()
    for digest in image.blobs:
        target = directory / digest[7:]
        subprocess.run(["curl", "-sfo", target, f"http://{host}/v2/{repository}/blobs/{digest}"], check=True)
        said = subprocess.run(["sha256sum", target], check=True, capture_output=True, text=True).stdout
        assert said.startswith(digest[7:])
        subprocess.run(["sync", target], check=True)
    seconds, after = time.monotonic() - begin, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    shutil.rmtree(directory)
    return seconds, cpu, 0


def with_many_pulls(directory, registry, count):
    from harness.pacelined import Pacelined
    references = []
    for number in range(count):
        layers = [random_bytes(number * 10 + layer, MIB) for layer in range(5)]
        references.append(registry.push(FetchImage(layers), f"many/{number}"))
    daemon = Pacelined(directory, {"log.level": "warn"}).start()
    try:
        begin = time.monotonic()
        daemon.cli("prefetch", *references, timeout=600)
        cpu, peak = usage_of(daemon.process.pid)
        return time.monotonic() - begin, cpu, peak
    finally:
        daemon.close()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--bin", default=ROOT / "build" / "release" / "bin")
    arguments.add_argument("--reps", type=int, default=5)
    arguments.add_argument("--csv", default=ROOT / "docs" / "results" / "fetch.csv", type=pathlib.Path)
    arguments.add_argument("--work", default=None, help="folder on the file system to measure (default: a temporary one)")
    arguments.add_argument("--mib", type=int, default=1000)
    options = arguments.parse_args()
    os.environ["PACELINE_BIN_DIR"] = str(options.bin)
    from harness.registry import Registry

    work = pathlib.Path(tempfile.mkdtemp(dir=options.work))
    registry = Registry(work / "registry")
    rows = []
    try:
        images = {}
        for name, layers in (("1-layer", 1), ("10-layers", 10)):
            data = [random_bytes(f"{name}{n}", options.mib * MIB // layers) for n in range(layers)]
            images[name] = FetchImage(data)
            registry.push(images[name], name)
            print(f"made {name}, {options.mib} MiB", flush=True)
        for rep in range(1, options.reps + 1):
            for name, image in images.items():
                systems = [("paceline", lambda: with_paceline(work / "daemon", f"{registry.host}/{name}:latest")),
                           ("curl+sha256sum+sync", lambda: with_curl(work / "curl", registry.host, name, image))]
                for system, measure in systems if rep % 2 else reversed(systems):
                    seconds, cpu, peak = measure()
                    rows.append([system, name, rep, round(seconds, 3), round(cpu, 3), peak or ""])
                    print(f"rep {rep}  {name:10} {system:20} {seconds:7.2f} s  {cpu:6.2f} CPU s  "
                          f"{f'{peak / 1024:.0f} MiB' if peak else '':>8}", flush=True)
        seconds, cpu, peak = with_many_pulls(work / "many", registry, 100)
        rows.append(["paceline", "100-pulls", 1, round(seconds, 3), round(cpu, 3), peak])
        print(f"100 pulls at once: {seconds:.2f} s, {cpu:.2f} CPU s, peak {peak / 1024:.0f} MiB")
    finally:
        registry.stop()
        shutil.rmtree(work, ignore_errors=True)

    options.csv.parent.mkdir(parents=True, exist_ok=True)
    with open(options.csv, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["system", "image", "rep", "seconds", "cpu_seconds", "peak_rss_kib"])
        writer.writerows(rows)
    for name in images:
        of = lambda system: [row[3] for row in rows if row[0] == system and row[1] == name]
        ours, theirs = of("paceline"), of("curl+sha256sum+sync")
        ratios = [a / b for a, b in zip(ours, theirs)]
        print(f"{name}: paceline {statistics.median(ours):.2f} s, curl+sha256sum+sync {statistics.median(theirs):.2f} s, "
              f"ratio pair by pair: median {statistics.median(ratios):.2f} (min {min(ratios):.2f}, max {max(ratios):.2f})")


if __name__ == "__main__":
    main()
