"""The machine and the versions that a study was made with, for its page."""

import datetime
import json
import os
import platform
import re

from harness.processes import run


def _first_line(*argv):
    try:
        done = run(*argv, check=False, timeout=20)
    except OSError:
        return None
    said = (done.stdout or done.stderr).strip()
    return said.splitlines()[0] if said else None


def _cpu():
    with open("/proc/cpuinfo") as file:
        found = re.search(r"model name\s*: (.*)", file.read())
    return found[1] if found else platform.machine()


def describe(paceline_bin):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with open("/etc/os-release") as file:
        system = re.search(r'PRETTY_NAME="(.*)"', file.read())[1]
    return {
        "date": datetime.date.today().isoformat(), "cpu": _cpu(), "cores": os.cpu_count(), "memory_gib": round(memory / 2**30, 1),
        "kernel": platform.release(), "system": system,
        "versions": {name: line for name, line in {
            "paceline": _first_line(paceline_bin / "pacelined", "--version"),
            "docker": _first_line("dockerd", "--version"),
            "containerd": _first_line("containerd", "--version"),
            "docker-registry": _first_line("docker-registry", "--version"),
            "skopeo": _first_line("skopeo", "--version"),
            "aria2": _first_line("aria2c", "--version"),
            "curl": _first_line("curl", "--version"),
        }.items() if line}}


def write(path, paceline_bin):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(describe(paceline_bin), indent=1) + "\n")
