"""Where contention is measured: one lane of the link emulator, docker-registry at its far end."""

import contextlib
import os
import shutil

from harness.registry import Registry
from lane import Lane

from . import BUILD
from .guard import Guard
from .images import STORAGE

LANE = 60  # The study's begin at 100; below are the lanes of tests and of people at work.
PORT, GUARDED_PORT = 5000, 5001


class Place:
    """A context manager. `limits`: nginx with them stands before the registry. `lane`: another lane's index."""

    def __init__(self, spec, limits=None, lane=LANE):
        self.spec, self._limits, self._index = spec, limits, lane
        self.directory = BUILD / f"place-{os.getpid()}"
        self.guard = None

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory.mkdir(parents=True)
            stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
            self.lane = stack.enter_context(Lane(self.spec, index=self._index, directory=self.directory / "lane"))
            registry = Registry(self.directory / "registry", data=STORAGE, address=self.lane.server_ip, port=PORT,
                                enter=self.lane.enter_server, log="/dev/null")
            stack.callback(registry.stop)
            if self._limits:
                address = f"{self.lane.server_ip}:{GUARDED_PORT}"
                self.guard = Guard(self.directory / "guard", self.lane.enter_server, address, registry.host, self._limits)
                stack.callback(self.guard.close)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    @property
    def host(self):
        return f"{self.lane.server_ip}:{GUARDED_PORT if self.guard else PORT}"

    def fresh(self):
        """Forgets what came before: the link's counters and TCP's memory."""
        self.lane.flush_tcp_metrics()
        self.lane.reset_stats()
