#!/usr/bin/python3
"""Takes docs/status-page.png: the status page of a node during a slow pull, after some others.

usage: picture.py [FILE]      as root; wants packaging/install-dependencies.sh build run demo test, and a build
"""

import contextlib
import json
import pathlib
import sys
import tempfile

from harness import images, versions
from harness.browser import screenshot
from harness.containerd import Containerd
from harness.pacelined import Pacelined
from harness.processes import run, wait_until
from harness.registry import Registry
from harness.slow_link import SlowLink

MOST_BYTES = 200_000
SPEEDS = {"team/thumbnails": 6, "team/api": 12, "library/redis": 20, "team/ocr": 4}  # MiB a second


def state(daemon):
    return json.loads(run("curl", "-sf", f"http://127.0.0.1:{daemon.metrics_port}/status.json").stdout)


def main():
    file = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else versions.ROOT / "docs" / "status-page.png"
    with contextlib.ExitStack() as stack:
        work = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        registry = Registry(work / "registry")
        stack.callback(registry.stop)
        link = SlowLink(registry.host, images.MIB)
        stack.callback(link.close)
        daemon = Pacelined(work / "paceline")
        stack.callback(daemon.close)
        containerd = Containerd(versions.all_versions()["bookworm"], work / "containerd", store=daemon.address,
                                mirror_port=daemon.mirror_port)
        stack.callback(containerd.close)
        daemon.settings["containerd.address"] = containerd.address
        daemon.start()
        containerd.start()

        def pushed(name, *mib):
            registry.push(images.make_image(name, [size * images.MIB for size in mib]), name)
            return f"{link.host}/{name}:latest"

        for number, (name, speed) in enumerate(SPEEDS.items()):
            reference = pushed(name, 4, 6, number + 1)
            link.bytes_per_second = speed * images.MIB
            containerd.pull(reference)
            containerd.run_image(reference)
            wait_until(lambda: sum(start["cold_start_ms"] is not None for start in state(daemon)["starts"]) == number + 1, "a cold start")
        link.bytes_per_second = images.MIB
        pull = containerd.pull_in_background(pushed("team/model-server", 12, 5, 2, 8), work / "pull.log")
        stack.callback(pull.stop)
        wait_until(lambda: any(one["received_bytes"] > 6 * images.MIB for one in state(daemon)["pulls"]), "some of the image", 60)
        screenshot(f"http://127.0.0.1:{daemon.metrics_port}/", file)
        link.full_speed()
    size = file.stat().st_size
    if size > MOST_BYTES:
        sys.exit(f"picture.py: {file} has {size} bytes, more than {MOST_BYTES}")
    print(f"{file}: {size} bytes")


if __name__ == "__main__":
    main()
