"""The pull-time model, measured: `paceline calibrate` fits it to pulls of some images over some emulated paths, `paceline analyze`
predicts the pulls of others over others, and both are set beside what a real daemon takes (until all layers are unpacked).

shapes.py makes the images, paths.py names the paths, pulls.py pulls, validate.py compares; slim.py builds what `analyze` advises
and follow.py measures it.

docs/results/model.csv, a row a point:
  role        fitted | predicted (image and path were both kept out of the fit)
  image, path, pulls
  measured_seconds    median of the pulls
  predicted_seconds
  error       (predicted - measured) / measured
  setup_seconds, fetch_seconds, verify_seconds, unpack_seconds    as predicted

docs/results/advice.csv, a row an image that was slimmed:
  image, path, pulls, before_seconds, after_seconds    medians
  saved_seconds, predicted_saved_seconds, error, before_bytes, after_bytes    bytes: compressed
"""

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / "build" / "wan" / "model"
RESULTS = ROOT / "docs" / "results"
BIN = pathlib.Path(os.environ.get("PACELINE_BIN_DIR", ROOT / "build" / "release" / "bin"))

# The integration tests' harness and the link emulator are packages beside this one.
for _path in (ROOT / "tests" / "integration", ROOT / "tests" / "wan"):
    if str(_path) not in sys.path:
        sys.path.insert(0, str(_path))
