#!/usr/bin/python3
"""How much of the unpacking hides behind the download: cold CRI pulls over an emulated link, fetched only, unpacked only, and both.

    fetch     the daemon fetches all blobs (a prefetch)
    unpack    containerd pulls what was just fetched: layers are unpacked, nothing comes over the link
    together  containerd pulls with nothing there: layers are unpacked while they arrive
    hidden    1 - (together - fetch) / unpack

Blobs and snapshots lie on a tmpfs, unless --fs says ext4: a disk that cannot keep up with 3 GB at a time would be measured instead.

usage: unpack_hidden.py [--rates 200 1000] [--rtt MS] [--reps N] [--fs tmpfs] [--csv FILE]
"""

import argparse
import csv
import os
import pathlib
import shutil
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "integration"), str(ROOT / "tests" / "wan")]

from file_system import FileSystem  # noqa: E402
from harness import versions  # noqa: E402
from harness.containerd import Containerd  # noqa: E402
from harness.cri import ImageService  # noqa: E402
from harness.debian_image import DebianImage  # noqa: E402
from harness.pacelined import Pacelined  # noqa: E402
from harness.registry import Registry, push  # noqa: E402
from lane import Lane, LinkSpec  # noqa: E402
from study.systems.paceline import allow_plain_http  # noqa: E402

COLUMNS = ["rate_mbps", "rtt_ms", "rep", "fetch_seconds", "unpack_seconds", "together_seconds", "hidden_share"]


def say(text):
    print(text, file=sys.stderr, flush=True)


class Node:
    """A worker behind the link, with nothing on it."""

    def __init__(self, directory, lane, version, host):
        self.directory, self.host = directory, host
        self.daemon = Pacelined(directory / "paceline", {"snapshotter.enabled": True}, enter=lane.enter_client, log_level="info")
        allow_plain_http(self.daemon, host)
        self.daemon.start()
        self.containerd = Containerd(version, directory / "containerd", store=self.daemon.address, cri=True,
                                     mirror_port=self.daemon.mirror_port, snapshotter=self.daemon.address,
                                     enter=lane.enter_client).start()

    def prefetch(self, reference):
        os.sync()  # What earlier runs left dirty would be written during this one.
        begin = time.monotonic()
        self.daemon.cli("prefetch", reference, timeout=900)
        return time.monotonic() - begin

    def pull(self, reference):
        service = ImageService(self.containerd.address)
        os.sync()
        begin = time.monotonic()
        service.pull(reference, timeout=900)
        seconds = time.monotonic() - begin
        service.close()
        return seconds

    def close(self):
        self.containerd.close()
        self.daemon.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def measure(directory, lane, version, host, reference):
    node = Node(directory / "node", lane, version, host)
    try:
        fetch = node.prefetch(reference)
        unpack = node.pull(reference)
    finally:
        node.close()
    node = Node(directory / "node", lane, version, host)
    try:
        return fetch, unpack, node.pull(reference)
    finally:
        node.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=float, nargs="+", default=[200, 1000], help="Mbps")
    parser.add_argument("--rtt", type=float, default=10, help="ms")
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--fs", choices=["tmpfs", "ext4"], default="tmpfs")
    parser.add_argument("--image", type=pathlib.Path, default=ROOT / "build" / "bench" / "debian", help="folder of its layers")
    parser.add_argument("--csv", type=pathlib.Path, default=ROOT / "docs" / "results" / "unpack_hidden.csv")
    options = parser.parse_args()
    image = DebianImage(options.image)
    say(f"image: {image}")
    work = ROOT / "build" / "bench" / "unpack-hidden"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    place = FileSystem(options.fs, work)
    local = Registry(work / "pushed", data=work / "data")
    push(local.host, image, "debian")
    local.stop()
    version = versions.all_versions()["bookworm"]
    rows = []
    try:
        for rate in options.rates:
            with Lane(LinkSpec(rate_mbps=rate, rtt_ms=options.rtt), index=90) as lane:
                registry = Registry(work / f"registry-{rate:g}", data=work / "data", enter=lane.enter_server, address=lane.server_ip)
                try:
                    reference = f"{registry.host}/debian:latest"
                    for rep in range(1, options.reps + 1):
                        fetch, unpack, together = measure(place.mount, lane, version, registry.host, reference)
                        hidden = 1 - (together - fetch) / unpack
                        rows.append([f"{rate:g}", f"{options.rtt:g}", rep, *(round(x, 3) for x in (fetch, unpack, together, hidden))])
                        say(f"{rate:g} Mbps #{rep}: fetch {fetch:.2f} s, unpack {unpack:.2f} s, together {together:.2f} s: "
                            f"{100 * hidden:.0f} % hidden")
                finally:
                    registry.stop()
    finally:
        place.close()
        shutil.rmtree(work, ignore_errors=True)
    with open(options.csv, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    for rate in options.rates:
        share = statistics.median(row[-1] for row in rows if row[0] == f"{rate:g}")
        print(f"{rate:g} Mbps: {100 * share:.0f} % of the unpacking is hidden behind the download")


if __name__ == "__main__":
    main()
