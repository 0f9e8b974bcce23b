#!/usr/bin/python3
"""Milliseconds from the daemon's exec to its READY=1 (sd_notify), with many blobs in the store.

usage: startup.py [--bin DIR] [--reps N] [--blobs N] [--csv FILE]
"""

import argparse
import csv
import hashlib
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def fill(folder, blobs):
    """Blobs in containerd's layout, as an adopted store has them."""
    folder.mkdir(parents=True)
    for number in range(blobs):
        data = f"blob {number}\n".encode()
        (folder / hashlib.sha256(data).hexdigest()).write_bytes(data)


def start_to_ready(daemon, work, name):
    """One start on `work`/`name`; the daemon is stopped again."""
    notify = work / "notify"
    notify.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, open(work / "log", "w") as log:
        ready.bind(str(notify))
        ready.settimeout(60)
        begin = time.monotonic()
        process = subprocess.Popen(
            [daemon, "--config", work / "config.toml", "--root", work / name, "--address", work / "sock"],
            env={**os.environ, "NOTIFY_SOCKET": str(notify)}, stdout=log, stderr=log)
        try:
            while b"READY=1" not in ready.recv(4096):
                pass
            return (time.monotonic() - begin) * 1000
        except TimeoutError:
            sys.exit(f"startup.py: the daemon was not ready within a minute:\n{(work / 'log').read_text()[-2000:]}")
        finally:
            process.terminate()
            process.wait(30)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--blobs", type=int, default=10_000)
    parser.add_argument("--csv", type=pathlib.Path, default=ROOT / "docs" / "results" / "startup.csv")
    options = parser.parse_args()
    rows = []
    work = pathlib.Path(tempfile.mkdtemp())
    try:
        (work / "config.toml").write_text("version = 1\n[mirror]\nenabled = false\n[metrics]\nenabled = false\n")
        fill(work / "full" / "content" / "blobs" / "sha256", options.blobs)
        for rep in range(1, options.reps + 1):
            for name, blobs in (("empty", 0), ("full", options.blobs)):
                rows.append((blobs, rep, round(start_to_ready(options.bin / "pacelined", work, name), 1)))
    finally:
        shutil.rmtree(work)
    with open(options.csv, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("blobs", "rep", "milliseconds"), *rows])
    for blobs in (0, options.blobs):
        times = [row[2] for row in rows if row[0] == blobs]
        print(f"{blobs} blobs: ready in {statistics.median(times):.0f} ms ({min(times):.0f} to {max(times):.0f})")


if __name__ == "__main__":
    main()
