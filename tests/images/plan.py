"""What is left to pull, in rounds: everything once, then everything a second time, …"""

import fnmatch
import random

from study import predict
from study.schedule import Job

from .functions import NAMED, VARIANTS, rank_in_application
from .links import LINKS, Cell

BETWEEN_SECONDS = 5.0  # Daemons start and end, stores are removed, the disk settles.
ALONE = 99.0           # cores: more than there are, so that each pull has the machine for itself


def matches(text, patterns):
    return not patterns or any(fnmatch.fnmatch(text, pattern) for pattern in patterns)


def jobs(images, systems, done, reps, links=None, seed=1):
    """`images`: key → Image. `systems`: name → Named. `done`: whether (image key, link, system, rep) has a row.

    Within a round a link and a function are a block, in which both variants and all systems take turns in an order of chance:
    whatever changes on the machine in an hour changes for all that are compared. The blocks' order is chance, too, but for the
    slow link, which comes last, and on it the first function of each application before the second."""
    rank = rank_in_application([NAMED[name] for name in dict.fromkeys(image.function for image in images.values())])
    chance, found = random.Random(seed), []
    for rep in range(1, reps + 1):
        blocks = [(link, function) for link in (links or LINKS) for function in rank]
        chance.shuffle(blocks)
        blocks.sort(key=lambda block: (LINKS[block[0]].tier, LINKS[block[0]].tier and rank[block[1]]))
        for link, function in blocks:
            block = [(variant, system) for variant in VARIANTS for system in systems.values()]
            chance.shuffle(block)
            for variant, system in block:
                image = images[f"{function}/{variant}"]
                if not done(image.key, link, system.name, rep):
                    found.append(job(image, LINKS[link], system, rep))
    return found


def job(image, link, system, rep):
    cell = Cell(link, image.key, tuple(layer.compressed for layer in image.layers))
    streams, ranged = system.streams(cell)
    expected = predict.seconds(cell, streams, ranged, system.unpacks)
    overhead = system.setup_seconds + BETWEEN_SECONDS
    return Job(cell, system.name, "", rep, 0, ("first",), expected, overhead, ALONE)
