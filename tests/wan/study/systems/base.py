"""What a system is to the study."""

import dataclasses
import shutil


@dataclasses.dataclass
class Measured:
    """One pull, as its row needs it; `extra` goes beside it into streams.csv."""
    pull: str
    timing: object
    streams_mean: float
    streams_last: float
    extra: dict = dataclasses.field(default_factory=dict)


def by_link(timing, pull="first"):
    """For systems that say nothing of their connections: what the link saw."""
    return Measured(pull, timing, timing.connections_mean, timing.connections)


class System:
    name = ""
    needs = ()        # programs
    unpacks = False   # whether a pull ends with the image unpacked
    setup_seconds = 1.0

    def missing(self):
        """Programs that are not installed."""
        return [program for program in self.needs if shutil.which(program) is None]

    def settings(self, cell):
        """[(setting, tier)]: tier 0 is measured before 1, and 1 before 2."""
        raise NotImplementedError

    def pulls(self, setting):
        """Which pulls one job makes."""
        return ("first",)

    def streams(self, setting, cell):
        """(connections, whether they share layers), as expected."""
        raise NotImplementedError

    def run(self, site, image, setting, timeout, expected):
        """Yields a Measured for each of pulls(setting), each from an empty store and a fresh daemon."""
        raise NotImplementedError
