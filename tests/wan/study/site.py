"""A place where pulls are timed: one lane of the link emulator with docker-registry at its far end."""

import contextlib
import dataclasses
import os
import pathlib
import select
import shutil
import subprocess
import threading
import time

from harness.processes import unmount_below
from harness.registry import Registry
from lane import Lane, LinkSpec

PORT = 5000
SAMPLES = 30  # looks at the link during a pull, about
LATEST_MS = 12  # One in a hundred packets later than that: the machine was too busy to be a link.


class Stopped(Exception):
    """The study was told to end; the pull under way does not count."""


class PullFailed(Exception):
    """The client of a pull failed or ran out of time."""


def remove(directory):
    """With what a study that was killed left mounted there."""
    unmount_below(directory)
    shutil.rmtree(directory, ignore_errors=True)


@dataclasses.dataclass
class Timing:
    seconds: float
    output: str
    stats: dict
    load1: float
    connections_mean: float

    @property
    def connections(self):
        return self.stats["connections_max"]

    @property
    def lost_pct(self):
        sent = self.stats["down_packets"]
        dropped = self.stats["down_queue_drops"] + self.stats["down_loss_drops"]
        return 100 * dropped / (sent + dropped) if sent + dropped else 0.0


class Site:
    """`setup`: a semaphore all sites share, so that starting daemons does not crowd out the pulls that are being timed."""

    def __init__(self, index, directory, images_directory, setup, stop):
        self.index, self.directory = index, pathlib.Path(directory)
        self.setup, self.stop = setup, stop
        self._images_directory = images_directory
        self._lane = self._registry = None

    def link(self, cell):
        """Makes the lane that of the cell, with nothing left of the pull before."""
        spec = LinkSpec(rate_mbps=cell.rate, rtt_ms=cell.rtt_ms, loss_pct=cell.loss_pct, cap_mbps=cell.cap)
        if self._lane is None:
            self._open(spec)
        else:
            self._lane.set(spec)

    def _open(self, spec):
        remove(self.directory)
        self.directory.mkdir(parents=True)
        self._lane = self._make_lane(spec)
        self._lane.__enter__()
        self.enter = self._lane.enter_client
        self._registry = Registry(
            self.directory / "registry", "", data=self._images_directory / "registry", address=self._lane.server_ip, port=self._port(),
            enter=self._lane.enter_server, log="/dev/null")

    def _make_lane(self, spec):
        return Lane(spec, index=self.index, directory=self.directory / "lane")

    def _port(self):
        return PORT

    @property
    def host(self):
        return self._registry.host

    def close(self):
        if self._registry:
            self._registry.stop()
        if self._lane:
            self._lane.__exit__(None, None, None)
        self._lane = self._registry = None
        shutil.rmtree(self.directory, ignore_errors=True)

    @contextlib.contextmanager
    def scratch(self, name):
        """An empty folder, gone afterwards: every pull starts from an empty store."""
        path = self.directory / name
        remove(path)
        path.mkdir(parents=True)
        try:
            yield path
        finally:
            with self.setup:
                shutil.rmtree(path, ignore_errors=True)

    def time(self, argv, timeout, expected, look=None):
        """Runs a client on the near end of the lane and times it. `look`: called now and then while it runs."""
        self._lane.flush_tcp_metrics()
        self._lane.reset_stats()
        every = max(0.25, expected / SAMPLES)
        held = []
        with open(self.directory / "client.out", "w+b") as out:
            begin = time.monotonic()
            child = subprocess.Popen([*self.enter, *map(str, argv)], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                     start_new_session=True)
            try:
                end = self._watch(child, begin, timeout, every, held, look)
            finally:
                if child.poll() is None:
                    child.kill()
                    child.wait()
            load1 = os.getloadavg()[0]
            stats = self._lane.stats()
            out.seek(0)
            output = out.read().decode(errors="replace")
        if stats["lateness_p99_us"] > 1000 * LATEST_MS:
            raise PullFailed(f"the link was {stats['lateness_p99_us'] / 1000:.0f} ms late for one packet in a hundred: the machine was busy, "
                             "the pull does not count; run the study again for it")
        if child.returncode != 0:
            raise PullFailed(f"{pathlib.Path(str(argv[0])).name} ended with {child.returncode}: {output[-1500:]}")
        mean = sum(held) / len(held) if held else float(stats["connections_max"])
        return Timing(end - begin, output, stats, load1, mean)

    def _watch(self, child, begin, timeout, every, held, look):
        """A pidfd tells the end to the millisecond; Popen.wait would poll for it."""
        descriptor = os.pidfd_open(child.pid)
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            while True:
                if poll.poll(every * 1000):
                    end = time.monotonic()
                    child.wait()
                    return end
                if self.stop.is_set():
                    raise Stopped
                if time.monotonic() - begin > timeout:
                    raise PullFailed(f"not done after {timeout:.0f} s")
                held.append(self._lane.stats()["connections"])
                if look:
                    look(time.monotonic() - begin)
        finally:
            os.close(descriptor)
