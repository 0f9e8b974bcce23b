"""The pulls. Each image is pulled once in each arm, with other images in between, so that nothing is cached but what the daemon
remembers of the path."""

from contention.images import MB, ensure
from contention.node import fresh
from harness.processes import wait_until

ARMS = ("adaptive", "fixed:3", "fixed:5")
IMAGES, QUICK_IMAGES = 10, 4  # No multiples of the number of arms: each round gives an image the next arm.
LAYERS = 8
LAYER_BYTES, QUICK_LAYER_BYTES = 3 * MB, MB // 2


def node_at(place):
    return fresh(place, experiment__arms=list(ARMS))


def pulls_of(node):
    """All records of pulls that somebody waited for, oldest first."""
    return list(reversed(node.daemon.cli_json("report", "--pulls", "--source", "foreground")))


def image_names(quick):
    return ensure("arms", QUICK_IMAGES if quick else IMAGES, LAYERS, QUICK_LAYER_BYTES if quick else LAYER_BYTES)


def pull_all(node, names, rounds):
    """Returns when all is pulled and on record."""
    for number, name in enumerate(names * rounds, 1):
        node.wait(node.pull([name]), every=0.05)
        listed = wait_until(lambda: len(found := pulls_of(node)) == number and found, "the record of a pull")
        print(f"{number:3} {listed[-1]['policy']:9} {listed[-1]['pull_ms'] / 1000:6.2f} s  {name}", flush=True)
        node.daemon.cli("evict", "--all")
