"""The daemon under test and its command line. PACELINE_BIN_DIR names another build, e.g. one with a sanitizer."""

import json
import os
import pathlib
import shutil
import uuid

import grpc

from .processes import Process, free_port, run
from .versions import ROOT

BIN = pathlib.Path(os.environ.get("PACELINE_BIN_DIR", ROOT / "build" / "release" / "bin"))
TSAN_SUPPRESSIONS = ROOT / "tests" / "sanitizers" / "tsan.supp"
SANITIZERS = {  # Ignored by a build without them. A finding ends the daemon, or its client, with an exit code of its own.
    "ASAN_OPTIONS": "exitcode=99:detect_leaks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": f"exitcode=99:suppressions={TSAN_SUPPRESSIONS}",
}
os.environ.update(SANITIZERS)


def _toml(value):
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(str(value) if isinstance(value, pathlib.Path) else value)


class Pacelined:
    """`settings`: "section.key" → value, on top of what a test needs. `enter`: the command that runs the daemon elsewhere,
    e.g. `nsenter --net=…`; it has to exec it."""

    def __init__(self, directory, settings=None, enter=(), log_level="debug"):
        self.enter, self.log_level = list(enter), log_level
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.root = self.directory / "root"
        self.run_dir = pathlib.Path("/run") / f"paceline-test-{uuid.uuid4().hex[:8]}"
        self.address = self.run_dir / "paceline.sock"
        self.mirror_port = free_port()
        self.metrics_port = free_port()
        self.docker_config = self.directory / "docker" / "config.json"
        self.certs = self.directory / "certs.d"
        self.settings = {
            "mirror.address": f"127.0.0.1:{self.mirror_port}",
            "metrics.address": f"127.0.0.1:{self.metrics_port}",
            "store.free_floor": "16 MiB",
            "registry.certs_dirs": [self.certs],
            "registry.docker_configs": [self.docker_config],
            "fetch.stall_window": "5s",
            "containerd.address": "",
            **(settings or {}),
        }
        self.env = {}
        self.process = None
        self.exit_codes = []

    @property
    def content(self):
        return pathlib.Path(self.settings.get("store.content", self.root / "content"))

    @property
    def config_file(self):
        return self.directory / "config.toml"

    def write_config(self):
        sections = {}
        for name, value in self.settings.items():
            section, key = name.rsplit(".", 1)
            sections.setdefault(section, []).append(f"{key} = {_toml(value)}")
        self.config_file.write_text("version = 1\n" + "".join(
            f"[{section}]\n" + "\n".join(lines) + "\n" for section, lines in sections.items()))

    def command(self):
        return [*self.enter, BIN / "pacelined", "--config", self.config_file, "--address", self.address, "--root", self.root,
                "--log-level", self.log_level]

    def start(self, wait=True):
        self.run_dir.mkdir(mode=0o700, exist_ok=True)
        self.write_config()
        self.process = Process(self.command(), self.directory / "pacelined.log", env=self.env)
        if wait:
            self.process.wait_until(self.healthy, "pacelined to serve", 30)
        return self

    def healthy(self):
        """grpc.health.v1, asked with the empty request that means the whole server."""
        if not self.address.exists():
            return False
        with grpc.insecure_channel(f"unix:{self.address}") as channel:
            try:
                raw = lambda data: data
                answer = channel.unary_unary("/grpc.health.v1.Health/Check", raw, raw)(b"", timeout=2)
                return answer == b"\x08\x01"  # status = SERVING
            except grpc.RpcError:
                return False

    def stop(self):
        """SIGTERM; a clean exit is part of every test."""
        if self.process:
            code = self.process.stop(30)
            self.process = None
            assert code == 0, f"pacelined ended with {code}\n{self.log()[-6000:]}"

    def kill(self):
        self.process.kill()
        self.process = None

    def close(self):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.run_dir, ignore_errors=True)

    @property
    def alive(self):
        return self.process is not None and self.process.running and self.healthy()

    def log(self):
        path = self.directory / "pacelined.log"
        return path.read_text(errors="replace") if path.exists() else ""

    # The command line.

    def cli(self, *arguments, check=True, timeout=120):
        return run(BIN / "paceline", "--address", self.address, *arguments, check=check, timeout=timeout)

    def cli_json(self, *arguments, **options):
        """The objects of --output json, a line each."""
        said = self.cli("--output", "json", *arguments, **options).stdout
        return [json.loads(line) for line in said.splitlines() if line.strip()]

    def blobs_on_disk(self):
        directory = self.content / "blobs" / "sha256"
        return {f"sha256:{path.name}" for path in directory.iterdir()} if directory.is_dir() else set()

    def credentials(self, **config):
        self.docker_config.parent.mkdir(parents=True, exist_ok=True)
        self.docker_config.write_text(json.dumps(config))
