"""The machine and the versions that a study was made with, for its page."""

import datetime
import json
import os
import platform
import re

from harness.processes import run


def first_line(*argv):
    """What a program says first, or None if it is not there."""
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


def describe(paceline_bin, more=None):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with open("/etc/os-release") as file:
        system = re.search(r'PRETTY_NAME="(.*)"', file.read())[1]
    return {
        "date": datetime.date.today().isoformat(), "cpu": _cpu(), "cores": os.cpu_count(), "memory_gib": round(memory / 2**30, 1),
        "kernel": platform.release(), "system": system,
        "versions": {name: line for name, line in {
            "paceline": first_line(paceline_bin / "pacelined", "--version"),
            "docker": first_line("dockerd", "--version"),
            "containerd": first_line("containerd", "--version"),
            "docker-registry": first_line("docker-registry", "--version"),
            "skopeo": first_line("skopeo", "--version"),
            "aria2": first_line("aria2c", "--version"),
            "curl": first_line("curl", "--version"),
            **(more or {}),
        }.items() if line}}


def write(path, paceline_bin, more=None):
    """`more`: name → version, of what this study uses and others do not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(describe(paceline_bin, more), indent=1) + "\n")
