"""Runs jobs over several lanes side by side, and keeps what they bring."""

import collections
import os
import pathlib
import queue
import threading
import time
import traceback

from .schedule import Admission, simulated_seconds
from .site import Site, Stopped

LEAST_TIMEOUT = 60
TIMEOUT_FACTOR = 5
SETUPS_AT_ONCE = 2
FIRST_LANE = 100   # Below are the lanes of tests and of people at work.
GIVE_UP_AFTER = 3  # failures of one system in one cell


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Driver:
    """`images`: job.cell.image → what a system's run() wants of an image. `results`: keep(job, image,
    measured) and keep_failure(job, pull, error). `site_type`: a Site."""

    def __init__(self, jobs, systems, images, results, images_directory, work, budget_cores, lanes, minutes=None, say=print,
                 first_lane=FIRST_LANE, site_type=Site):
        self.queue, self.systems, self.images, self.results = list(jobs), systems, images, results
        self.admission = Admission(budget_cores, lanes)
        self.say, self.lanes, self.budget = say, lanes, budget_cores
        self.stop = threading.Event()
        self._images_directory, self._work = images_directory, pathlib.Path(work)
        self._first_lane, self._site_type = first_lane, site_type
        self._setup = threading.Semaphore(SETUPS_AT_ONCE)
        self._deadline = time.monotonic() + 60 * minutes if minutes else None
        self._ended = queue.Queue()
        self._sites, self._next_site = [], 0
        self._began = {}
        self._failed = collections.Counter()
        self._expected = self._took = 0.0
        self.total, self.finished, self.failures = len(self.queue), 0, 0

    @property
    def left(self):
        return self.total - self.finished

    def run(self):
        try:
            while not self.stop.is_set():
                self._start_what_fits()
                if not self._began:
                    break
                self._collect()
        finally:
            self.stop.set()
            while self._began:
                self._collect()
            for site in self._sites:
                site.close()

    def _start_what_fits(self):
        if self._deadline:
            left = self._deadline - time.monotonic()
            # What cannot end in time is left for the next run.
            self.queue = [job for job in self.queue if job.seconds <= left] if left > 0 else []
        while self.queue and (index := self.admission.pick(self.queue)) is not None:
            job = self.queue.pop(index)
            if self._failed[job.cell, job.system, job.setting] >= GIVE_UP_AFTER:
                continue
            site = self._sites.pop() if self._sites else self._new_site()
            self.admission.started(job)
            self._began[job] = time.monotonic()
            threading.Thread(target=self._work_on, args=(job, site), daemon=True).start()

    def _new_site(self):
        index = self._next_site
        self._next_site += 1
        return self._site_type(self._first_lane + index, self._work / f"site-{index}", self._images_directory, self._setup, self.stop)

    def _work_on(self, job, site):
        error, measured = None, []
        try:
            with self._setup:
                site.link(job.cell)
            timeout = max(LEAST_TIMEOUT, TIMEOUT_FACTOR * job.expected)
            for one in self.systems[job.system].run(site, self.images[job.cell.image], job.setting, timeout, job.expected):
                measured.append(one)
        except Stopped as stopped:
            error = stopped
        except Exception as failure:  # Whatever a system's programs do, the study goes on.
            error = failure
            if os.environ.get("PACELINE_STUDY_TRACE"):
                traceback.print_exc()
        self._ended.put((job, site, measured, error))

    def _collect(self):
        try:
            job, site, measured, error = self._ended.get(timeout=1)
        except queue.Empty:
            return
        self.admission.ended(job)
        took = time.monotonic() - self._began.pop(job)
        if error is None:
            self._sites.append(site)
        else:
            site.close()  # Its processes or its link may be what failed: the next job gets a new one.
        image = self.images[job.cell.image]
        for one in measured:
            self.results.keep(job, image, one)
        if error is not None and self.stop.is_set():
            return  # Ctrl-C reaches the links and the daemons too: what they say then is no failure.
        self.finished += 1
        if error is None:
            self._expected += job.seconds
            self._took += took
        else:
            self.failures += 1
            self._failed[job.cell, job.system, job.setting] += 1
            missing = job.pulls[len(measured):] or job.pulls[-1:]
            self.results.keep_failure(job, missing[0], error)
        self._report(job, measured, error)

    def _report(self, job, measured, error):
        said = " + ".join(f"{one.timing.seconds:.2f}" for one in measured)
        if error is not None:
            said = f"FAILED: {str(error).splitlines()[0][:120]}"
        self.say(f"[{self.finished}/{self.total}, {self.admission.running} running, load {os.getloadavg()[0]:.1f}, "
                 f"ETA {clock(self.eta())}] {job}: {said} s (expected {job.expected:.1f})")

    def eta(self):
        """Seconds, by the plan's prediction, corrected by how it has done so far."""
        now = time.monotonic()
        running = [(job, max(1.0, job.seconds - (now - began))) for job, began in self._began.items()]
        factor = self._took / self._expected if self._expected else 1.0
        return factor * simulated_seconds(self.queue, self.budget, self.lanes, running)
