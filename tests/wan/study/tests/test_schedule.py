"""The order of jobs and how many run at once."""

import random

from study.cells import Cell
from study.schedule import Admission, Job, in_order, simulated_seconds

SLOW = Cell("paper", 10, 35, 0, 0, "equal-10MB")
FAST = Cell("modern", 1000, 2, 0, 0, "equal-100MB")


def job(cell=SLOW, system="paceline", setting="fixed:1", rep=1, tier=0, expected=10.0, cores=0.08, pulls=("first",)):
    return Job(cell, system, setting, rep, tier, pulls, expected, 1.0, cores)


def test_breadth_before_depth_and_the_important_first():
    jobs = [job(rep=rep, tier=tier, setting=f"{rep}-{tier}-{n}") for rep in (2, 1) for tier in (2, 0, 1) for n in range(5)]
    ordered = in_order(jobs, seed=1)
    assert [(j.rep, j.tier) for j in ordered] == sorted((j.rep, j.tier) for j in jobs)


def test_the_order_is_a_matter_of_the_seed_alone():
    jobs = [job(setting=str(n)) for n in range(20)]
    again = jobs[:]
    random.Random(7).shuffle(again)
    assert in_order(jobs, 3) == in_order(again, 3)
    assert in_order(jobs, 3) != in_order(jobs, 4)


def test_what_needs_the_machine_for_itself_runs_alone():
    admission = Admission(budget_cores=1.3, lanes=10)
    fast, slow = job(FAST, cores=0.3), job()
    assert fast.alone and not slow.alone
    admission.started(fast)
    assert not admission.fits(slow)
    admission.ended(fast)
    admission.started(slow)
    assert not admission.fits(fast)
    # It heads the queue: nothing overtakes it, so that the machine empties for it.
    assert admission.pick([fast, slow]) is None
    assert admission.pick([slow, fast]) == 0


def test_a_capped_gigabit_link_may_share():
    assert not job(Cell("modern", 1000, 2, 0, 5, "equal-100MB"), cores=0.3).alone


def test_the_sum_of_what_runs_stays_within_the_budget_and_the_lanes():
    admission = Admission(budget_cores=0.20, lanes=3)
    admission.started(job(cores=0.08))
    admission.started(job(cores=0.08))
    assert not admission.fits(job(cores=0.08))
    assert admission.pick([job(cores=0.08), job(cores=0.03)]) == 1
    admission.started(job(cores=0.03))
    assert not admission.fits(job(cores=0.001))


def test_one_job_always_fits():
    assert Admission(budget_cores=0.1, lanes=1).fits(job(cores=2))


def test_simulated_time():
    four = [job(setting=str(n), expected=9.0, cores=0.1) for n in range(4)]
    assert simulated_seconds(four, budget_cores=0.2, lanes=10) == 20.0
    assert simulated_seconds(four, budget_cores=9, lanes=1) == 40.0
    assert simulated_seconds(four[:1], 0.2, 10, running=[(four[1], 5.0), (four[2], 7.0)]) == 15.0
    assert simulated_seconds([], 0.2, 10) == 0.0
