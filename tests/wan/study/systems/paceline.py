"""The daemon on its own: `paceline prefetch`, which fetches, verifies and syncs, and does not unpack."""

import contextlib
import json
import pathlib
import shutil

from harness.pacelined import BIN, Pacelined

from ..cells import PAPER_RTTS
from . import trail
from .base import Measured, System

PAPER_STREAMS = (1, 3, 5, 7, 9, 10)
MOST_STREAMS = 16  # concurrency.max_streams, and about what the adaptive pulls use on hard paths
LAST = ("fixed:1", "fixed:9")  # seldom the best: measured after the others


def settings_of(setting):
    """The daemon's configuration for a setting. The stall limits are the defaults; the harness's are tighter."""
    common = {"fetch.stall_window": "15s", "fetch.stall_bytes_per_second": "1KiB"}
    if setting == "adaptive":
        return common
    streams = int(setting.removeprefix("fixed:"))
    return {**common, "concurrency.mode": "fixed", "concurrency.streams": streams}


def allow_plain_http(daemon, host):
    """Tells the daemon, as containerd's users do, that this registry has no certificate."""
    folder = daemon.certs / host
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hosts.toml").write_text(
        f'server = "http://{host}"\n[host."http://{host}"]\n  capabilities = ["pull", "resolve"]\n')


@contextlib.contextmanager
def running(site, directory, setting, log_level="info", snapshots=False):
    """A fresh daemon on the near end of the lane."""
    settings = settings_of(setting) | ({"snapshotter.enabled": True} if snapshots else {})
    daemon = Pacelined(directory, settings, enter=site.enter, log_level=log_level)
    allow_plain_http(daemon, site.host)
    try:
        with site.setup:
            daemon.start()
        yield daemon
    finally:
        with site.setup:
            daemon.close()


def forget_blobs(directory):
    """Leaves only what the daemon remembers of paths, as on a node whose images were removed."""
    root = pathlib.Path(directory) / "root"
    memory = root / "state" / "paths.json"
    kept = memory.read_bytes()
    shutil.rmtree(root)
    memory.parent.mkdir(parents=True)
    memory.write_bytes(kept)


def streams_of(output):
    """(mean, last) of the streams that ran, from the progress lines: weighted by time, of the fetching part."""
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    fetching = [(line["elapsed_ms"], line["streams"]) for line in lines if line["state"] == "fetching" and line["streams"]]
    if not fetching:
        return None, None
    until = [at for at, _ in fetching[1:]] + [lines[-1]["elapsed_ms"]]
    spans = [max(1, end - at) for (at, _), end in zip(fetching, until)]
    mean = sum(span * streams for span, (_, streams) in zip(spans, fetching)) / sum(spans)
    return mean, fetching[-1][1]


class Paceline(System):
    name = "paceline"
    setup_seconds = 0.5

    def missing(self):
        return [str(BIN / program) for program in ("pacelined", "paceline") if not (BIN / program).exists()]

    def settings(self, cell):
        streams = PAPER_STREAMS if cell.grid == "paper" else (*PAPER_STREAMS, MOST_STREAMS)
        if cell.grid == "quick":
            streams = (1, 5)
        tier = 0 if cell.rtt_ms in PAPER_RTTS and cell.grid == "paper" else 2
        return [("adaptive", 0)] + [(name, tier if name in LAST else 0) for name in (f"fixed:{n}" for n in streams)]

    def pulls(self, setting):
        return ("first", "second") if setting == "adaptive" else ("first",)

    def streams(self, setting, cell):
        return (12 if setting == "adaptive" else int(setting.removeprefix("fixed:"))), True

    def run(self, site, image, setting, timeout, expected):
        with site.scratch("paceline") as directory:
            for pull in self.pulls(setting):
                if pull == "second":
                    forget_blobs(directory)
                with running(site, directory, setting) as daemon, trail.following(daemon.address) as seen:
                    timing = site.time([BIN / "paceline", "--address", daemon.address, "--output", "json", "prefetch",
                                        image.reference(site.host)], timeout, expected, look=seen.look)
                    seen.look(timing.seconds)
                    mean, last = streams_of(timing.output)
                    yield Measured(pull, timing, timing.connections_mean if mean is None else mean,
                                   seen.limit or last, seen.extra())
