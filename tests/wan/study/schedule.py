"""Which pull comes next, and how many may run at once. No clock, no threads: the driver and the plan share it."""

import dataclasses
import heapq
import random

LONG_SECONDS = 120      # starts early within its group, so that it is not what everything waits for in the end
ALONE_CORES = 0.8       # a pull expected to take more of the machine has it for itself
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
    cores: float      # it takes while it pulls

    @property
    def seconds(self):
        return len(self.pulls) * (self.expected + self.overhead)

    @property
    def alone(self):
        held_down = self.cell.loss_pct or self.cell.cap
        return self.cores > ALONE_CORES or (self.cell.rate >= RATE_OF_ITS_OWN and not held_down)

    def __str__(self):
        return f"{self.cell}  {self.system} {self.setting}  #{self.rep}"


def in_order(jobs, seed):
    """Repetition 1 of everything first; in it what must have the machine for itself, then the important systems. The rest is chance."""
    shuffled = sorted(jobs, key=lambda job: (str(job.cell), job.cell.grid, job.system, job.setting, job.rep))
    random.Random(seed).shuffle(shuffled)
    return sorted(shuffled, key=lambda job: (job.rep, not job.alone, job.tier, job.expected < LONG_SECONDS))


class Admission:
    """Admits pulls while the cores they are expected to take together stay within the budget."""

    def __init__(self, budget_cores, lanes):
        self.budget, self.lanes = budget_cores, lanes
        self._running = []

    @property
    def running(self):
        return len(self._running)

    def fits(self, job):
        if not self._running:
            return True
        if len(self._running) >= self.lanes or job.alone or any(other.alone for other in self._running):
            return False
        return sum(other.cores for other in self._running) + job.cores <= self.budget

    def pick(self, queue):
        """The index of the job to start now, or None. A job that needs the machine for itself is not overtaken for ever:
        once it heads the queue, the machine empties for it."""
        for index, job in enumerate(queue):
            if self.fits(job):
                return index
            if index == 0 and job.alone:
                return None
        return None

    def started(self, job):
        self._running.append(job)

    def ended(self, job):
        self._running.remove(job)


def simulated_seconds(jobs, budget_cores, lanes, running=()):
    """How long the jobs take in this order if each takes what is expected. `running`: (job, seconds left)."""
    admission, queue = Admission(budget_cores, lanes), list(jobs)
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
