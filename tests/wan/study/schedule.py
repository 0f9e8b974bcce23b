"""Which pull comes next, and how many may run at once. No clock, no threads: the driver and the plan share it."""

import dataclasses
import heapq
import random

LONG_SECONDS = 120      # starts early within its group, so that it is not what everything waits for in the end
ALONE_SHARE = 0.5       # a pull expected to need more of the budget than this has the machine for itself
RATE_OF_ITS_OWN = 1000  # Mbps: so has any pull on a link this fast, unless its connections are held down


@dataclasses.dataclass(frozen=True)
class Job:
    cell: object
    system: str
    setting: str
    rep: int
    tier: int
    pulls: tuple
    expected: float   # seconds of one pull
    overhead: float   # seconds of one pull's daemons
    mbps: float       # while it pulls

    @property
    def seconds(self):
        return len(self.pulls) * (self.expected + self.overhead)

    def __str__(self):
        return f"{self.cell}  {self.system} {self.setting}  #{self.rep}"


def in_order(jobs, seed):
    """Repetition 1 of everything first; in it what must have the machine for itself, then the important systems. The rest is chance."""
    shuffled = sorted(jobs, key=lambda job: (str(job.cell), job.cell.grid, job.system, job.setting, job.rep))
    random.Random(seed).shuffle(shuffled)
    return sorted(shuffled, key=lambda job: (job.rep, not alone_by_link(job.cell), job.tier, job.expected < LONG_SECONDS))


def alone_by_link(cell):
    return cell.rate >= RATE_OF_ITS_OWN and not cell.loss_pct and not cell.cap


class Admission:
    """Admits pulls while what they are expected to carry together stays within the budget."""

    def __init__(self, budget_mbps, lanes):
        self.budget, self.lanes = budget_mbps, lanes
        self._running = []

    def alone(self, job):
        return alone_by_link(job.cell) or job.mbps > ALONE_SHARE * self.budget

    @property
    def running(self):
        return len(self._running)

    def fits(self, job):
        if not self._running:
            return True
        if len(self._running) >= self.lanes or self.alone(job) or any(self.alone(other) for other in self._running):
            return False
        return sum(other.mbps for other in self._running) + job.mbps <= self.budget

    def pick(self, queue):
        """The index of the job to start now, or None. A job that needs the machine for itself is not overtaken for ever:
        once it heads the queue, the machine empties for it."""
        for index, job in enumerate(queue):
            if self.fits(job):
                return index
            if index == 0 and self.alone(job):
                return None
        return None

    def started(self, job):
        self._running.append(job)

    def ended(self, job):
        self._running.remove(job)


def simulated_seconds(jobs, budget_mbps, lanes, running=()):
    """How long the jobs take in this order if each takes what is expected. `running`: (job, seconds left)."""
    admission, queue = Admission(budget_mbps, lanes), list(jobs)
    ends, now, serial = [], 0.0, 0
    for job, left in running:
        admission.started(job)
        heapq.heappush(ends, (left, serial, job))
        serial += 1
    while queue or ends:
        while queue and (index := admission.pick(queue)) is not None:
            job = queue.pop(index)
            admission.started(job)
            heapq.heappush(ends, (now + job.seconds, serial, job))
            serial += 1
        if not ends:
            break
        now, _, job = heapq.heappop(ends)
        admission.ended(job)
    return now
