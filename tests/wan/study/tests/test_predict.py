"""The expectations that the schedule and the timeouts rest on; within a factor of two of what was measured."""

import pytest

from study import predict
from study.cells import Cell, wire_limit_seconds


def test_the_wire_limit():
    assert wire_limit_seconds(100_000_000, 10, 150) == pytest.approx(85.12, abs=0.01)


@pytest.mark.parametrize("cell, streams, ranged, measured", [
    (Cell("paper", 10, 35, 0, 0, "equal-10MB"), 5, True, 9.1),
    (Cell("paper", 10, 150, 0, 0, "equal-10MB"), 1, False, 11.0),
    (Cell("modern", 200, 35, 0.1, 0, "single-100MB"), 1, False, 70),
    (Cell("modern", 1000, 150, 0, 0, "equal-100MB"), 10, True, 3.4),
    (Cell("modern", 200, 35, 0, 5, "single-100MB"), 10, True, 17.0),
    (Cell("modern", 200, 35, 0, 5, "skewed-100MB"), 10, False, 102),
])
def test_near_what_was_measured(cell, streams, ranged, measured):
    assert measured / 2 < predict.seconds(cell, streams, ranged) < measured * 2


def test_unpacking_takes_longer():
    cell = Cell("modern", 200, 35, 0, 0, "equal-100MB")
    assert predict.seconds(cell, 3, False, unpacks=True) > predict.seconds(cell, 3, False)


def test_a_byte_over_a_slow_link_costs_more():
    slow, fast = Cell("paper", 10, 35, 0, 0, "equal-100MB"), Cell("modern", 200, 35, 0, 0, "equal-100MB")
    assert 85 * predict.cores(slow, 85) > 1.5 * 5 * predict.cores(fast, 5)
