"""The study: how long pulls take on an emulated WAN, with this daemon and with its peers.

Cells (cells.py) × systems (systems/) make jobs; schedule.py orders and admits them, driver.py runs them over several lanes
(site.py) side by side, results.py keeps what came out, report/ turns it into tables, plots and a page.
"""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / "build" / "wan"
DOCS = ROOT / "docs" / "study"

# The integration tests' harness and the link emulator are packages beside this one.
for _path in (ROOT / "tests" / "integration", ROOT / "tests" / "wan"):
    if str(_path) not in sys.path:
        sys.path.insert(0, str(_path))
