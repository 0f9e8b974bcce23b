"""Docker Engine, as the paper measured it: `time docker pull`, with max-concurrent-downloads."""

import contextlib
import os
import pathlib
import shutil
import uuid

from harness.processes import Process, run, unmount_below

from .base import System, by_link
from .paceline import PAPER_STREAMS


class Dockerd:
    """A private engine: own data, sockets and containerd; it touches neither the machine's network nor its engine."""

    def __init__(self, directory, enter, registry, downloads):
        self.directory, self.enter = pathlib.Path(directory), enter
        self.run_dir = pathlib.Path("/run") / f"paceline-study-{uuid.uuid4().hex[:8]}"  # Socket paths are short.
        self.address = f"unix://{self.run_dir}/docker.sock"
        self.argv = [
            *enter, "dockerd", "--host", self.address, "--data-root", self.directory / "data", "--exec-root", self.run_dir / "exec",
            "--pidfile", self.run_dir / "docker.pid", "--config-file", self.directory / "daemon.json",
            "--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-masq=false",
            "--insecure-registry", registry, "--max-concurrent-downloads", str(downloads)]
        self.process = None

    def start(self):
        self.run_dir.mkdir()
        (self.directory / "daemon.json").write_text("{}")
        self.process = Process(self.argv, self.directory / "dockerd.log")
        self.process.wait_until(self._answers, "dockerd to answer", 60)

    def _answers(self):
        socket = pathlib.Path(self.address.removeprefix("unix://"))
        return socket.exists() and run("docker", "--host", self.address, "version", check=False).returncode == 0

    def close(self):
        if self.process:
            self.process.stop(30)
        unmount_below(self.run_dir, self.directory)
        shutil.rmtree(self.run_dir, ignore_errors=True)


class Docker(System):
    name = "docker"
    needs = ("dockerd", "docker")
    unpacks = True
    setup_seconds = 2.0

    def settings(self, cell):
        if cell.grid == "paper":
            return [(str(downloads), 1) for downloads in PAPER_STREAMS]
        if len(cell.layers) == 1:
            return [("3", 1)]  # Its default; a layer is one download whatever the number.
        return [("3", 1), ("10", 1)]

    def streams(self, setting, cell):
        return int(setting), False

    def run(self, site, image, setting, timeout, expected):
        with site.scratch("docker") as directory, self._running(site, directory, setting) as engine:
            yield by_link(site.time(["docker", "--host", engine.address, "pull", "--quiet", image.reference(site.host)],
                                    timeout, expected))

    @contextlib.contextmanager
    def _running(self, site, directory, setting):
        os.makedirs(directory, exist_ok=True)
        engine = Dockerd(directory, site.enter, site.host, setting)
        try:
            with site.setup:
                engine.start()
            yield engine
        finally:
            with site.setup:
                engine.close()
