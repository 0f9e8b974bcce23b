"""Fits the model to some pulls, and compares it with others."""

import csv
import json
import statistics

from contention.images import keep
from harness import layouts
from harness.processes import run

from . import BIN, BUILD
from .pulls import PullingNode, seconds_of
from .shapes import make

COLUMNS = ["role", "image", "path", "pulls", "measured_seconds", "predicted_seconds", "error", "setup_seconds", "fetch_seconds",
           "verify_seconds", "unpack_seconds"]


def prepare(shapes):
    """Pushed to the storage that every place serves, and as layouts for `analyze`."""
    for shape in shapes:
        folder = BUILD / "layouts" / shape.image_name
        made = []

        def image(shape=shape, made=made):
            if not made:
                made.append(make(shape))
            return made[0]
        keep({shape.image_name: image})
        if not (folder / "index.json").exists():
            layouts.write(image(), folder)


def measure(path, shapes, reps, say):
    """Shape name → records."""
    found = {shape.name: [] for shape in shapes}
    with PullingNode(path) as node:
        node.pull(shapes[0].image_name)  # The node gets to know the path.
        for rep in range(reps):
            for shape in shapes:
                record = node.pull(shape.image_name)
                found[shape.name].append(record)
                say(f"{path.name}, {shape.name}, {rep + 1}: {seconds_of(record):.2f} s")
    return found


def calibrate(records, folder):
    """What `paceline calibrate` makes of them, as a file."""
    lines, file = folder / "records.jsonl", folder / "calibration.json"
    lines.write_text("".join(json.dumps(record) + "\n" for record in records))
    file.write_text(run(BIN / "paceline", "--output", "json", "calibrate", "--records", lines).stdout)
    return file


def predict(calibration, layout, path_name):
    said = run(BIN / "paceline", "--address", "/nonexistent.sock", "--output", "json", "analyze", "--calibration", calibration,
               "--path", path_name, layout, timeout=600)
    return json.loads(said.stdout)["predicted"]


def points(role, path, measured, calibration):
    rows = []
    for name, records in measured.items():
        predicted = predict(calibration, BUILD / "layouts" / f"model-{name}", path.name)
        seconds = statistics.median(map(seconds_of, records))
        total = predicted["total_ms"] / 1000
        rows.append([role, name, path.name, len(records), seconds, total, (total - seconds) / seconds,
                     *(predicted[f"{part}_ms"] / 1000 for part in ("setup", "fetch", "verify", "unpack"))])
    return rows


def quantile(values, part):
    ordered = sorted(values)
    at = part * (len(ordered) - 1)
    low = int(at)
    return ordered[low] + (at - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])


def summary(rows, role):
    errors = [abs(row[6]) for row in rows if row[0] == role]
    return (f"{role}: {len(errors)} points, median error {100 * quantile(errors, 0.5):.1f} %, 90th percentile "
            f"{100 * quantile(errors, 0.9):.1f} %, largest {100 * max(errors):.1f} %") if errors else f"{role}: no points"


def write(rows, columns, file):
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(columns)
        writer.writerows([f"{cell:.4f}" if isinstance(cell, float) else cell for cell in row] for row in rows)


def validate(paths, shapes, reps, file, say):
    BUILD.mkdir(parents=True, exist_ok=True)
    prepare(shapes)
    to_fit = [shape for shape in shapes if shape.fitted]
    kept_out = [shape for shape in shapes if not shape.fitted]
    measured = {path: measure(path, to_fit if path.fitted else kept_out, reps, say) for path in paths}
    fitted = [record for path in paths if path.fitted for records in measured[path].values() for record in records]
    calibration = calibrate(fitted, BUILD)
    rows = []
    for path in paths:
        rows += points("fitted" if path.fitted else "predicted", path, measured[path], calibration)
    write(rows, COLUMNS, file)
    return rows
