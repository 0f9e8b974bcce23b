"""Processes a test starts: each with a log file of its own, each stopped by its own id."""

import os
import pathlib
import signal
import socket
import subprocess
import time


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(condition, what, seconds=20.0, every=0.02):
    """Polls until condition() is true and returns its value; no test depends on how long that takes."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"gave up after {seconds:.0f} s waiting for {what}")
        time.sleep(every)


def run(*argv, check=True, timeout=120, **kwargs):
    """Runs a command and returns it with its output as text; a failure shows what it said."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=timeout, **kwargs)
    if check and done.returncode != 0:
        raise AssertionError(
            f"{' '.join(map(str, argv))}\nended with {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done


def unmount_below(*folders):
    """Whatever is mounted at or below them, last first."""
    for line in reversed(pathlib.Path("/proc/self/mounts").read_text().splitlines()):
        target = pathlib.Path(line.split()[1])
        if any(target.is_relative_to(folder) for folder in folders):
            run("umount", "-l", target, check=False)


class Process:
    """A long-lived child whose output goes to a file."""

    def __init__(self, argv, log, env=None):
        self.argv = [str(a) for a in argv]
        self.log = log
        with open(log, "ab") as output:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                          env={**os.environ, **(env or {})}, start_new_session=True)

    @property
    def pid(self):
        return self.child.pid

    @property
    def running(self):
        return self.child.poll() is None

    def output(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def wait_until(self, condition, what, seconds=20.0):
        """Like wait_until(), but a process that ended says so at once, with its last words."""
        def check():
            if not self.running:
                raise AssertionError(f"{self.argv[0]} ended with {self.child.returncode} before {what}\n"
                                     + self.output()[-4000:])
            return condition()
        try:
            return wait_until(check, what, seconds)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.output()[-4000:]}") from None

    def signal(self, number):
        self.child.send_signal(number)

    def stop(self, seconds=15):
        """SIGTERM, then SIGKILL; returns the exit code."""
        if self.running:
            self.child.terminate()
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.child.returncode

    def kill(self):
        if self.running:
            self.child.send_signal(signal.SIGKILL)
        self.child.wait()
