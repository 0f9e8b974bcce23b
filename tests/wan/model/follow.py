"""Advice followed: what slimming an image saves, predicted and measured."""

import statistics

from contention.images import keep
from harness import layouts

from . import BUILD
from .pulls import PullingNode, seconds_of
from .slim import advised, slim
from .validate import calibrate, write

COLUMNS = ["image", "path", "pulls", "before_seconds", "after_seconds", "saved_seconds", "predicted_saved_seconds", "error",
           "before_bytes", "after_bytes"]


def prepare(name, layout):
    """The image and its slimmed self, both pushed. → (names, sizes)"""
    folder = BUILD / "slimmed" / name
    image = layouts.read(layout, name)
    if image is None:
        raise SystemExit(f"{layout}: its layers are not gzipped")
    before = advised(layout, "--path", "100mbps-35ms")
    smaller = slim(image, before)
    layouts.write(smaller, folder)
    # By digest: an image that was built anew has another name here.
    names = [f"advised-{name}-{image.digest[7:19]}", f"advised-{name}-slim-{smaller.digest[7:19]}"]
    keep({names[0]: lambda: image, names[1]: lambda: smaller})
    return names, folder, before["compressed_bytes"], sum(len(layer.data) for layer in smaller.layers)


def follow(images, path, calibration_records, reps, file, say):
    """`images`: name → layout. The prediction is the one that was printed before anything was slimmed."""
    calibration = calibrate(calibration_records, BUILD)
    rows = []
    prepared = {name: prepare(name, layout) for name, layout in images.items()}
    with PullingNode(path) as node:
        node.pull(next(iter(prepared.values()))[0][1])  # The node gets to know the path.
        for name, (names, _, before_bytes, after_bytes) in prepared.items():
            taken = {each: [] for each in names}
            for rep in range(reps):
                for each in names:
                    taken[each].append(seconds_of(node.pull(each)))
                    say(f"{path.name}, {each}, {rep + 1}: {taken[each][-1]:.2f} s")
            before, after = (statistics.median(taken[each]) for each in names)
            said = advised(images[name], "--path", path.name, "--calibration", calibration)
            expected = (said["predicted"]["total_ms"] - said["predicted_without_waste"]["total_ms"]) / 1000
            saved = before - after
            rows.append([name, path.name, reps, before, after, saved, expected, (expected - saved) / saved, before_bytes, after_bytes])
    write(rows, COLUMNS, file)
    return rows
