"""Function images, as they are and in several stages: what their making takes off their size and their pulls.

functions.py names the functions and build.py builds their Containerfiles (functions/); shelf.py keeps the images, pushed once;
plan.py makes jobs of them, which the driver and the systems of tests/wan/study measure; results.py keeps the rows, and report/
says what they mean.
"""

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "images"
DOCS = ROOT / "docs" / "study"
CACHE = pathlib.Path(os.environ.get("PACELINE_IMAGES_CACHE", pathlib.Path.home() / ".cache" / "paceline" / "images"))

# The integration tests' harness, the link emulator and the study of the WAN.
for _path in (ROOT / "tests" / "integration", ROOT / "tests" / "wan"):
    if str(_path) not in sys.path:
        sys.path.insert(0, str(_path))
