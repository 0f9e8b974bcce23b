"""Contention: what pulls do to each other, and to a server that wants to be left alone, on an emulated WAN.

Each scenario (scenarios/) takes measurements at a place (place.py: a lane with a registry at its far end, if wanted behind
nginx with limits, guard.py) with daemons on its near end (node.py), and says which targets they meet (records.py).

docs/study/contention.csv, a row a measurement:
  scenario    side-by-side | many | foreground | throttle | cap
  rate, rtt_ms, cap    of the link: Mbps, ms, Mbps of each connection (0: none)
  case        what ran, e.g. alone, together, fixed:6, adaptive
  rep         repetition, from 1
  measure     what is measured: seconds, connections_max, refused, ...
  value, unit
  load1       of the machine, over the last minute
"""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / "build" / "wan" / "contention"
CSV = ROOT / "docs" / "study" / "contention.csv"

# The integration tests' harness and the link emulator are packages beside this one.
for _path in (ROOT / "tests" / "integration", ROOT / "tests" / "wan"):
    if str(_path) not in sys.path:
        sys.path.insert(0, str(_path))
