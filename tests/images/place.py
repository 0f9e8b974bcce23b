"""Where pulls are timed: the study's site, which can be the machine's own loopback, too."""

import os

from study.site import Site

# What the emulator would have counted.
UNSEEN = {"connections": 0, "connections_max": 0, "down_packets": 0, "down_queue_drops": 0, "down_loss_drops": 0,
          "down_queue_peak_bytes": 0, "lateness_p99_us": 0, "tun_drops": 0}


class Loopback:
    """A lane of no length: both ends are this machine's own network."""
    server_ip = "127.0.0.1"
    enter_client = enter_server = ()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def set(self, spec):
        pass

    def stats(self):
        return dict(UNSEEN)

    def reset_stats(self):
        pass

    def flush_tcp_metrics(self):
        pass


class Place(Site):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._emulated = None

    def link(self, cell):
        if self._emulated not in (None, cell.link.emulated):
            self.close()
        self._emulated = cell.link.emulated
        super().link(cell)

    def time(self, *arguments, **options):
        os.sync()  # What the pull before has left to be written is not this one's to wait for.
        return super().time(*arguments, **options)

    def _make_lane(self, spec):
        return super()._make_lane(spec) if self._emulated else Loopback()

    def _port(self):
        return super()._port() if self._emulated else None  # any that is free
