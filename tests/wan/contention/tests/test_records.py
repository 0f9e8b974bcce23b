"""Fairness index, rows and promises."""

import csv

import pytest
from lane import LinkSpec

from contention.guard import Limits
from contention.records import COLUMNS, Records, at_least, at_most, figure, jain

SPEC = LinkSpec(100, 35)


def test_jain_is_one_among_equals_and_a_part_when_one_has_all():
    assert jain([5, 5, 5, 5]) == pytest.approx(1)
    assert jain([8, 0, 0, 0]) == pytest.approx(0.25)
    assert jain([0, 0]) == 1


def test_rows_are_written_one_a_measurement(tmp_path):
    records = Records(say=lambda _: None)
    records.add("many", SPEC, "pulls", 1, first=(1.5, "s"), ratio=(1.25, ""))
    records.write(tmp_path / "out.csv")
    with open(tmp_path / "out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["measure"], row["value"], row["unit"]) for row in rows] == [("first", "1.5", "s"), ("ratio", "1.25", "")]


def test_medians_are_of_one_case_on_one_link():
    records = Records(say=lambda _: None)
    for rep, seconds in enumerate((3.0, 1.0, 2.0), 1):
        records.add("many", SPEC, "pulls", rep, seconds=(seconds, "s"))
    records.add("many", SPEC, "one", 1, seconds=(9.0, "s"))
    records.add("many", LinkSpec(10, 35), "pulls", 1, seconds=(9.0, "s"))
    assert records.median("many", SPEC, "pulls", "seconds") == 2


def test_a_figure_without_a_promise_is_never_missed():
    records = Records(say=lambda _: None)
    records.promise(at_most("a", 1.0, 1.0), at_most("b", 1.1, 1.0), at_least("c", 0.9, 1.0), figure("d", 99.0))
    assert [target.what for target in records.missed] == ["b", "c"]
    assert len(records.table().splitlines()) == 5


def test_limits_become_nginx_directives():
    assert Limits().directives() == ""
    assert "rate" not in Limits(connections=6).directives()
    assert "limit_conn connections 6;" in Limits(connections=6).directives()
    assert "limit_req_status 429;" in Limits(requests_per_second=5, burst=5).directives()
