"""The arithmetic of the report, and that it can be written."""

import csv

import pytest

from study.report import maths, write_report
from study.report.pulls import Pulls
from study.results import COLUMNS


def row(system, setting, seconds, pull="first", rep=1, rtt=35, image="equal-10MB", grid="paper", rate=10, loss=0):
    return dict(zip(COLUMNS, map(str, (grid, rate, rtt, loss, 0, image, 10_000_000, system, setting, pull, rep, seconds, 8.0, 3, 5,
                                       0.5, 1.0))))


ROWS = [
    row("paceline", "fixed:1", 12), row("paceline", "fixed:5", 10, rep=1), row("paceline", "fixed:5", 9, rep=2),
    row("paceline", "fixed:5", 30, rep=3), row("paceline", "fixed:10", 11),
    row("paceline", "adaptive", 11.5), row("paceline", "adaptive", 10.4, pull="second"),
    row("paceline+containerd", "adaptive", 13), row("paceline+snapshotter", "adaptive", 10.4), row("docker", "1", 26), row("docker", "10", 13), row("aria2", "x16", 10),
]


@pytest.fixture
def pulls():
    return Pulls(ROWS)


def test_a_setting_counts_with_its_median(pulls):
    cell, = pulls.cells()
    assert pulls.best(cell, "paceline", "fixed:") == (10, "fixed:5")


def test_ratios(pulls):
    cell, = pulls.cells()
    assert maths.against_fixed(pulls, cell, "first").value == pytest.approx(1.15)
    assert maths.against_fixed(pulls, cell, "second").value == pytest.approx(1.04)
    docker = maths.against_peer(pulls, cell, "docker")
    assert (docker.value, docker.against) == (pytest.approx(0.8), "10")  # with unpack: the pull through containerd
    assert maths.against_peer(pulls, cell, "docker", "paceline+containerd").value == 1.0
    assert maths.against_peer(pulls, cell, "aria2").value == pytest.approx(1.15)  # fetch only: the prefetch
    assert maths.against_peer(pulls, cell, "skopeo") is None


def test_targets_name_the_cells_that_miss(pulls):
    found = {target.name: target for target in maths.targets(pulls)}
    first = found["first pull, adaptive / best fixed"]
    assert [str(ratio.cell) for ratio in first.misses] == ["10Mbps/35ms/equal-10MB"] and not first.met
    assert found["second pull, adaptive / best fixed"].met
    assert found["paceline+containerd adaptive / docker at its best"].met
    assert found["paceline+snapshotter adaptive / docker at its best"].median == pytest.approx(0.8)
    assert "paceline+containerd adaptive / containerd-1.6 at its best" not in found  # nothing to compare with


def test_table_1_is_the_gap_between_worst_and_best(pulls):
    (place, rtt, _, paper, docker, ours), = maths.table_1(pulls)
    assert (place, rtt, paper) == ("Tokyo", 35, 405.39)
    assert docker == pytest.approx(100) and ours == pytest.approx(20)


def test_targets_over_the_wire_limit():
    pulls = Pulls([row("paceline", "adaptive", 9.0, rtt=150), row("paceline", "adaptive", 8.2, image="equal-100MB")])
    found = {target.name: target.median for target in maths.wire_targets(pulls)}
    assert found == {"10 Mbps, 100 MB and more: first pull / wire limit": pytest.approx(1.025),
                     "10 Mbps, 150 ms, 10 MB: first pull / wire limit": pytest.approx(1.125)}


def test_the_page_and_the_summary_are_written(tmp_path):
    path = tmp_path / "concurrency.csv"
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(ROWS)
    (tmp_path / "remarks.md").write_text("The shape differs: `fixed:1` <is> slow.\n\n- one\n- two\n")
    page, summary = (written.read_text() for written in write_report(path, tmp_path))
    assert "<code>fixed:1</code> &lt;is&gt; slow" in page and "<li>two</li>" in page and "http-equiv" not in page
    assert "| Tokyo (35 ms) | 10 MB | 405.4 % | 100.0 % | 20.0 % |" in summary
    assert "**1.15**" in summary
