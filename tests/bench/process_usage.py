"""What processes have used: CPU seconds, and peak memory in KiB."""

import os
import pathlib
import resource

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of(pid):
    """Of a process and of its children that have ended."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / TICKS


def children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def peak_of(pid):
    """0 once it has ended. wait4(2) would not do: its figure begins with what this process had when it made the other."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
