"""A node's daemon on the near end of a lane: pulls as a container runtime asks for them, and prefetches."""

import contextlib
import dataclasses
import json
import shutil
import subprocess
import time

from harness.pacelined import Pacelined
from study.systems.paceline import allow_plain_http, forget_blobs, settings_of

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
PATIENCE = 180  # seconds
MOST_STREAMS = 32  # concurrency.max_streams, where nobody sets it


class PullFailed(Exception):
    pass


@dataclasses.dataclass
class Asked:
    """Images asked for together, and when."""
    names: tuple
    at: float  # Unix seconds


class Node:
    def __init__(self, place, name, setting="adaptive", **settings):
        """`setting`: adaptive or fixed:N. `settings`: more of the configuration, dots written as __."""
        self.place = place
        self.directory = place.directory / name
        extra = {key.replace("__", "."): value for key, value in settings.items()}
        self._settings = {**settings_of(setting), **extra}
        self.daemon = None

    def __enter__(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        self._start()
        return self

    def __exit__(self, *_):
        self._stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _start(self):
        self.daemon = Pacelined(self.directory, self._settings, enter=self.place.lane.enter_client, log_level="info")
        allow_plain_http(self.daemon, self.place.host)
        self.daemon.start()

    def _stop(self):
        if self.daemon:
            self.daemon.close()
            self.daemon = None

    def restart_without_blobs(self):
        """As a node whose images were removed: only what it knows of paths is left."""
        self._stop()
        forget_blobs(self.directory)
        self._start()

    # Asking.

    def reference(self, name):
        return f"{self.place.host}/{name}:latest"

    def prefetch(self, names):
        asked = Asked(tuple(names), time.time())
        self.daemon.cli("prefetch", "--detach", *map(self.reference, names))
        return asked

    def pull(self, names):
        """As containerd does: the manifest is asked of the mirror, which is what makes it a foreground pull."""
        urls = [f"http://127.0.0.1:{self.daemon.mirror_port}/v2/{name}/manifests/latest?ns={self.place.host}" for name in names]
        asked = Asked(tuple(names), time.time())
        done = self.place.lane.run_client(
            ["curl", "--disable", "-sSf", "--parallel", "--parallel-immediate", "--parallel-max", str(len(urls)),
             "-H", f"Accept: {MANIFEST}", *(word for url in urls for word in ("-o", "/dev/null", url))],
            stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise PullFailed(f"the mirror refused a manifest: {done.stderr.strip()}")
        return asked

    # Watching.

    def pulls(self):
        """Image name → the daemon's view of its newest pull."""
        found = {}
        for pull in self.daemon.cli_json("pulls", "--all"):
            found.setdefault(pull["image"].split("/")[-1].split(":")[0], pull)
        return found

    def path(self):
        paths = [path for path in self.daemon.cli_json("paths") if path["host"] == self.place.host]
        return paths[0] if paths else None

    def wait(self, asked, look=None, every=0.25):
        """Name → seconds from asking to done, of every image. `look`: called with each look's pulls."""
        deadline = time.monotonic() + PATIENCE
        while True:
            seen = self.pulls()
            if look:
                look(seen)
            mine = {name: seen[name] for name in asked.names if name in seen}
            for name, pull in mine.items():
                if pull["state"] in ("failed", "cancelled"):
                    raise PullFailed(f"{name} {pull['state']}: {json.dumps(pull['error'])}")
            if len(mine) == len(asked.names) and all(pull["state"] == "done" for pull in mine.values()):
                return {name: pull["finished_unix_ms"] / 1000 - asked.at for name, pull in mine.items()}
            if time.monotonic() > deadline:
                raise PullFailed(f"not done after {PATIENCE} s: " + ", ".join(
                    f"{name} {pull['state']} {pull['received_bytes']}/{pull['total_bytes']}" for name, pull in mine.items()))
            time.sleep(every)


@contextlib.contextmanager
def fresh(place, setting="adaptive", **settings):
    """A node that has never pulled, on a link that has carried nothing."""
    with Node(place, "node", setting, **settings) as node:
        place.fresh()
        yield node
