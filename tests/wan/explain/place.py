"""Where the cases are staged: a place of `contention` on a lane of its own, and what slows a node down beside the link."""

import contextlib
import pathlib
import sys

from contention.place import PORT, Place
from harness.processes import Process, run

LANE = 61  # Beside contention's.
GATE_PORT = 5002
BLKIO = pathlib.Path("/sys/fs/cgroup/blkio")
DISK_MB = 256


class Unavailable(Exception):
    """This machine cannot stage the case."""


class GatedPlace(Place):
    """The registry stands behind a token server that takes its time."""

    def __init__(self, spec, seconds):
        super().__init__(spec, lane=LANE)
        self._seconds, self._gate = seconds, None

    def __enter__(self):
        super().__enter__()
        self._gate = f"{self.lane.server_ip}:{GATE_PORT}"
        script = pathlib.Path(__file__).with_name("token_gate.py")
        gate = Process([*self.lane.enter_server, sys.executable, script, self._gate, f"{self.lane.server_ip}:{PORT}", self._seconds],
                       self.directory / "gate.log")
        self._stack.callback(gate.stop)
        gate.wait_until(lambda: "ready" in gate.output(), "the token gate to listen")
        return self

    @property
    def host(self):
        return self._gate or super().host


def place_of(case):
    return GatedPlace(case.spec, case.token_seconds) if case.token_seconds else Place(case.spec, case.limits, lane=LANE)


@contextlib.contextmanager
def slow_disk(directory, bytes_per_second):
    """A file system on a loop device. Yields its folder, and what to call with the id of the process that it shall be slow
    for: in cgroup v1 a limit holds for writes that the process waits for itself, an fsync among them."""
    if not (BLKIO / "blkio.throttle.write_bps_device").exists() and not (BLKIO / "blkio.throttle.read_bps_device").exists():
        raise Unavailable("needs the blkio controller of cgroup v1")
    directory.mkdir(parents=True)
    file, folder, group = directory / "disk.img", directory / "disk", BLKIO / f"paceline-explain-{directory.parent.name}"
    with contextlib.ExitStack() as stack:
        with open(file, "wb") as image:
            image.truncate(DISK_MB << 20)
        run("mkfs.ext4", "-q", file)
        device = run("losetup", "--find", "--show", file).stdout.strip()
        stack.callback(run, "losetup", "--detach", device)
        folder.mkdir()
        run("mount", device, folder)
        stack.callback(run, "umount", folder)
        group.mkdir()
        stack.callback(group.rmdir)
        number = run("lsblk", "--noheadings", "--nodeps", "--output", "MAJ:MIN", device).stdout.strip()
        (group / "blkio.throttle.write_bps_device").write_text(f"{number} {bytes_per_second}")
        yield folder, lambda pid: (group / "cgroup.procs").write_text(str(pid))
