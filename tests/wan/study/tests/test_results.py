"""What has a row is done; what failed or was cut off is not."""

import types

import pytest

from study import plan
from study.cells import Cell
from study.results import COLUMNS, Results, Table, key_of
from study.systems.base import Measured, System

CELL = Cell("quick", 40, 10, 0, 0, "equal-1MB")
STATS = {"connections_max": 3, "down_queue_peak_bytes": 0, "down_queue_drops": 2, "down_loss_drops": 0, "lateness_p99_us": 10,
         "tun_drops": 0}


class Twice(System):
    name = "twice"

    def settings(self, cell):
        return [("on", 0)]

    def pulls(self, setting):
        return ("first", "second")

    def streams(self, setting, cell):
        return 3, True


def measured(pull):
    timing = types.SimpleNamespace(seconds=1.5, lost_pct=0.25, load1=0.5, connections=3, connections_mean=2.5, stats=STATS)
    return Measured(pull, timing, 2.5, 3, {"reason": "hold, steady"})


def left(results, reps=2):
    return [job for job in plan.jobs(["quick"], {"twice": Twice()}, results, reps=reps) if job.cell == CELL]


def test_a_study_goes_on_where_it_was_stopped(tmp_path):
    path = tmp_path / "concurrency.csv"
    results = Results(path)
    assert [job.rep for job in left(results)] == [1, 2]
    for pull in ("first", "second"):
        assert results.add(key_of(CELL, "twice", "on", pull, 1), CELL, 0.25, measured(pull), 1_000_000)
    assert [job.rep for job in left(Results(path))] == [2]


def test_half_a_job_is_done_again_and_leaves_one_row_a_pull(tmp_path):
    path = tmp_path / "concurrency.csv"
    key = key_of(CELL, "twice", "on", "first", 1)
    Results(path).add(key, CELL, 0.25, measured("first"), 1_000_000)
    again = Results(path)
    assert [job.rep for job in left(again)] == [1, 2]
    assert not again.add(key, CELL, 0.25, measured("first"), 1_000_000)
    assert len(again.pulls.rows()) == 1


def test_a_failure_is_kept_apart(tmp_path):
    results = Results(tmp_path / "concurrency.csv")
    results.fail(key_of(CELL, "twice", "on", "first", 1), "ended with 1:\nno such\thost")
    assert results.pulls.rows() == []
    assert results.failures.rows()[0]["error"] == "ended with 1: no such host"
    assert len(left(results)) == 2


def test_the_schema(tmp_path):
    results = Results(tmp_path / "concurrency.csv")
    results.add(key_of(CELL, "twice", "on", "first", 1), CELL, 0.25, measured("first"), 1_000_000)
    head, row = (tmp_path / "concurrency.csv").read_text().splitlines()
    assert head == ("grid,rate,rtt_ms,loss_pct,cap,image,bytes,system,setting,pull,rep,seconds,wire_limit_seconds,"
                    "streams_mean,streams_last,retrans_pct,load1")
    assert row == "quick,40,10,0,0,equal-1MB,1000000,twice,on,first,1,1.500,0.250,2.50,3,0.250,0.50"


def test_a_row_cut_off_by_a_crash_is_dropped(tmp_path):
    path = tmp_path / "t.csv"
    table = Table(path, ("a", "b"))
    table.append({"a": 1, "b": 2})
    path.write_text(path.read_text() + "3,")
    table = Table(path, ("a", "b"))
    table.append({"a": 5, "b": 6})
    assert [row["a"] for row in table.rows()] == ["1", "5"]


def test_another_studys_file_is_left_alone(tmp_path):
    path = tmp_path / "concurrency.csv"
    path.write_text("system,seconds\ndocker,1\n")
    with pytest.raises(SystemExit, match="other columns"):
        Table(path, COLUMNS)
