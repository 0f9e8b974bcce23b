"""What bounded a pull, staged: each case (cases.py) sets one bottleneck on an emulated WAN, has a real daemon pull an image through it,
and compares what `paceline explain` says.

place.py brings what the link emulator does not: a slow disk and a slow token server.
"""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]

# The integration tests' harness, the link emulator and the places of `contention` are packages beside this one.
for _path in (ROOT / "tests" / "integration", ROOT / "tests" / "wan"):
    if str(_path) not in sys.path:
        sys.path.insert(0, str(_path))
