#!/usr/bin/python3
"""What `paceline analyze` needs for a large image: seconds, CPU seconds and peak memory.

The image is the Debian one of the unpack benches (see harness/debian_image.py) with layers of model files on top, 100 MB each, until it
has the asked-for size unpacked. Its layout is made anew in build/bench, and removed.

usage: analyze_memory.py [--gigabytes N] [--most-mib M] [--small]
"""

import argparse
import gzip
import hashlib
import io
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tarfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "integration")]

from harness import layouts  # noqa: E402
from harness.debian_image import SMALL, DebianImage  # noqa: E402
from harness.images import Layer, image_of  # noqa: E402
from harness.pacelined import BIN  # noqa: E402
from process_usage import children_cpu, peak_of  # noqa: E402

FILE = 100_000_000
FILES_A_LAYER = 5


def models(number):
    """A layer of model files. They compress as zeros do, so that the layout is made in seconds; what analyze reads is as long."""
    noise = random.Random(number).randbytes(1 << 16)
    digest, packed = hashlib.sha256(), io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as out:
        def put(data):
            digest.update(data)
            out.write(data)
        for file in range(FILES_A_LAYER):
            entry = tarfile.TarInfo(f"models/{number}-{file}.bin")
            entry.size = FILE
            put(entry.tobuf(tarfile.PAX_FORMAT))
            for _ in range(FILE // len(noise)):
                put(noise)
            put(noise[:FILE % len(noise)] + bytes(-FILE % 512))
        put(bytes(1024))
    return Layer(packed.getvalue(), "sha256:" + digest.hexdigest())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=5.0)
    parser.add_argument("--most-mib", type=int, default=256, help="ends with 1 above that (default: %(default)s)")
    parser.add_argument("--small", action="store_true", help="on top of the small Debian image")
    options = parser.parse_args()
    work = ROOT / "build" / "bench"
    debian = DebianImage(work / ("debian-small" if options.small else "debian"), SMALL if options.small else None)
    size, layers = sum(layer["uncompressed"] for layer in debian.described), debian.layers
    while size < options.gigabytes * 1e9:
        layers.append(models(len(layers)))
        size += FILE * FILES_A_LAYER
    folder = work / "analyze-layout"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        layouts.write(image_of("large", layers), folder)
        began = time.monotonic()
        cpu = children_cpu()
        with open(work / "analyze.json", "w+b") as output:
            child = subprocess.Popen([BIN / "paceline", "--address", "/nonexistent.sock", "-o", "json", "analyze", folder], stdout=output)
            peak = 0
            while child.poll() is None:
                peak = max(peak, peak_of(child.pid))
                time.sleep(0.02)
            output.seek(0)
            said = json.loads(output.read() or b"{}")
        seconds, cpu = time.monotonic() - began, children_cpu() - cpu
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        (work / "analyze.json").unlink(missing_ok=True)
    if child.returncode != 0:
        return 1
    print(f"{len(layers)} layers, {said['files_sum']['bytes'] / 1e9:.2f} GB in {said['files_sum']['files']} files: {seconds:.1f} s, "
          f"{cpu:.1f} CPU s, {peak / 1024:.0f} MiB at most")
    return 0 if peak <= options.most_mib * 1024 else 1


if __name__ == "__main__":
    sys.exit(main())
