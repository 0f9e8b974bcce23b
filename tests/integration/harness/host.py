"""A machine of its own for what is configured under fixed paths: /etc, /var/lib and /run as a node has them, in a mount
namespace, so that nothing of this machine's is touched and all mounts go with it. The network is this machine's."""

import json
import os
import pathlib

from .pacelined import BIN
from .processes import Process, free_port, run, wait_until
from .versions import ROOT

SETUP = ROOT / "packaging" / "node" / "node-setup"
PRIVATE = ("/etc/containerd", "/etc/paceline", "/etc/systemd/system", "/var/lib/containerd", "/var/lib/paceline", "/run", "/opt")

# What systemctl does for the two units, with the ordering that the drop-in of containerd's asks for.
SYSTEMCTL = """#!/bin/bash
exec 9>&-
echo "$*" >> {log}
broken() {{ [ -e {broken}.$1 ] && sh {broken}.$1; }}
start() {{
  case $1 in
    pacelined)
      ! broken pacelined || return 1
      [ -e /run/pacelined.pid ] && kill -0 $(cat /run/pacelined.pid) 2> /dev/null && return
      mkdir -p /run/paceline
      setsid pacelined --log-level debug < /dev/null >> {log}.pacelined 2>&1 & echo $! > /run/pacelined.pid
      for ((i = 0; i < 300; i++)); do paceline version > /dev/null 2>&1 && return; sleep 0.1; done; return 1 ;;
    containerd)
      [ ! -e /etc/systemd/system/containerd.service.d/paceline.conf ] || start pacelined || return 1
      ! broken containerd || return 1
      setsid containerd --log-level info < /dev/null >> {log}.containerd 2>&1 & echo $! > /run/containerd.pid
      for ((i = 0; i < 300; i++)); do
        kill -0 $! 2> /dev/null || return 1
        # Where nobody listens ctr would try for ten seconds.
        [ -S /run/containerd/containerd.sock ] && ctr --connect-timeout 1s version > /dev/null 2>&1 && return
        sleep 0.1
      done
      return 1 ;;
  esac
}}
stop() {{
  local pid
  pid=$(cat /run/$1.pid 2> /dev/null) || return 0
  kill $pid 2> /dev/null
  while kill -0 $pid 2> /dev/null; do sleep 0.05; done
  rm -f /run/$1.pid
}}
verb=$1; shift
case $verb in
  start) for unit; do start $unit || exit 1; done ;;
  restart) for unit; do stop $unit; start $unit || exit 1; done ;;
  stop) for unit; do stop $unit; done ;;
esac
"""


class Host:
    """`version`: its containerd. Commands are found in `bin` first: a systemctl that really starts and stops the two daemons."""

    def __init__(self, version, directory):
        self.version, self.directory = version, pathlib.Path(directory)
        self.bin = self.directory / "bin"
        self.bin.mkdir(parents=True)
        self.log = self.directory / "systemctl.log"
        self.broken = self.directory / "broken"
        self.tool("systemctl", SYSTEMCTL.format(log=self.log, broken=self.broken))
        self.mirror_port = free_port()
        folders = " ".join(PRIVATE)
        self.holder = Process(["unshare", "--mount", "--propagation", "private", "sh", "-c",
                               f"mkdir -p {folders}; for folder in {folders}; do mount -t tmpfs none $folder || exit 1; done; "
                               "mkdir -p /run/lock /run/systemd/system; touch /run/ready; exec sleep infinity"],
                              self.directory / "holder.log")
        self.holder.wait_until(lambda: self.path("/run/ready").exists(), "the machine's own folders")

    def path(self, path):
        """Of a file there, as seen from here."""
        return pathlib.Path(f"/proc/{self.holder.pid}/root{path}")

    def tool(self, name, text):
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def run(self, *argv, check=True, timeout=120, env=None):
        path = f"{self.bin}:{BIN}:{self.version.bin}:/usr/sbin:/usr/bin:/sbin:/bin"
        return run("nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "--", *argv, check=check, timeout=timeout,
                   env={**os.environ, "PATH": path, **(env or {})})

    def write(self, path, text):
        self.path(path).parent.mkdir(parents=True, exist_ok=True)
        self.path(path).write_text(text)

    def read(self, path):
        file = self.path(path)
        return file.read_text() if file.exists() else None

    def files(self):
        """What is configured: path → text."""
        found = {}
        for folder in ("/etc/containerd", "/etc/paceline", "/etc/systemd/system"):
            for file in sorted(self.path(folder).rglob("*")):
                if file.is_file():
                    found[folder + "/" + str(file.relative_to(self.path(folder)))] = file.read_text()
        return found

    def break_unit(self, unit, where="true"):
        """It does not start where that command, looking at the node, succeeds."""
        pathlib.Path(f"{self.broken}.{unit}").write_text(where)

    def doctor(self):
        """check → (state, found, mend), and the exit code."""
        said = self.run("paceline", "--output", "json", "doctor", check=False)
        findings = [json.loads(line) for line in said.stdout.splitlines()]
        return {f["check"]: (f["state"], f["found"], f["mend"]) for f in findings}, said.returncode

    def setup(self, *arguments, check=True, env=None):
        return self.run(SETUP, *arguments, check=check, env=env)

    def ctr(self, *arguments, check=True):
        return self.run("ctr", "--connect-timeout", "2s", *arguments, check=check)

    def pull(self, reference):
        hosts = ["--hosts-dir", "/etc/containerd/certs.d"] if self.path("/etc/containerd/certs.d").exists() else []
        return self.ctr("images", "pull", "--plain-http", *hosts, reference)

    def run_image(self, reference, name):
        for attempt in range(5):
            said = self.ctr("run", "--rm", reference, f"{name}-{attempt}").stdout
            if said:  # ctr of 1.6 closes the pipes of a container that ended before it had opened them.
                break
        return said

    def content_store(self):
        """The name of the one content store that is well."""
        rows = [line.split() for line in self.ctr("plugins", "ls").stdout.splitlines()]
        stores = [row[1] for row in rows if row and row[0] == "io.containerd.content.v1" and row[-1] == "ok"]
        assert len(stores) == 1, stores
        return stores[0]

    def close(self):
        if not self.holder.running:
            return
        self.run("systemctl", "stop", "containerd", "pacelined", check=False)
        self.holder.kill()
