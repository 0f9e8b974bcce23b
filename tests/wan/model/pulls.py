"""Cold pulls of a node that knows its path: fetched ahead of time and unpacked, each dropped again before the next."""

import contextlib
import json
import os
import subprocess

from contention.node import Node
from contention.place import Place
from harness.processes import wait_until


class PullingNode:
    """A daemon on the near end of a path, the registry with the images at its far end. A context manager.

    It writes to memory. ext4 does not give out an inode that was freed in the last minutes, and looks at each of them for every new
    file: on a disk from which images are deleted all the time, files cost up to six times as much CPU as on a node's."""

    def __init__(self, path):
        self._place = Place(path.spec, lane=path.lane)
        self._node = None

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._place)
            self._node = Node(self._place, "node", snapshotter__enabled=True)
            self._node.directory.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", self._node.directory], check=True)
            stack.callback(subprocess.run, ["umount", self._node.directory], check=False)
            stack.enter_context(self._node)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def pull(self, name):
        """The record, with what `paceline explain` adds to it."""
        daemon = self._node.daemon
        os.sync()  # What earlier pulls left dirty would be written during this one.
        done = daemon.cli_json("prefetch", "--unpack", self._node.reference(name), timeout=900)[-1]
        assert done["state"] == "done", done
        record = wait_until(lambda: self._record(done["pull_id"]), "the record")
        daemon.cli("--timeout", "600s", "evict", "--all")
        return record

    def _record(self, pull_id):
        said = self._node.daemon.cli("--output", "json", "explain", pull_id, check=False)
        if said.returncode != 0:
            return None
        return json.loads(said.stdout)


def seconds_of(record):
    """From its turn until all layers were unpacked."""
    queue = sum(phase["end_ms"] - phase["start_ms"] for phase in record["phases"] if phase["name"] == "queue")
    return (record["pull_ms"] - queue) / 1000
