"""What is measured, in which order, and that a study goes on where it was stopped."""

import types

import pytest

from images import plan
from images.functions import ALL, TINY, VARIANTS
from images.layers import Layer
from images.report import write_report
from images.report.pulls import Pulls
from images.results import COLUMNS, Results
from images.shelf import Image
from study.systems.base import System, by_link

STATS = {"connections_max": 3, "lateness_p99_us": 10}


class Fake(System):
    def __init__(self, name):
        self.name = name

    def streams(self, cell):
        return 3, False


SYSTEMS = {name: Fake(name) for name in ("docker", "paceline-adaptive")}


def image(function, variant, megabytes):
    layers = tuple(Layer(f"sha256:{number:064}", megabytes * 100_000, megabytes * 300_000, 100 + number, "RUN") for number in range(10))
    return Image(function.application, function.name, variant, "", "sha256:0", layers)


def images(functions=ALL):
    made = [image(function, variant, 100 if variant == "original" else 20 + 10 * number)
            for number, function in enumerate(functions) for variant in VARIANTS]
    return {one.key: one for one in made}


def measured(seconds):
    return by_link(types.SimpleNamespace(seconds=seconds, lost_pct=0.0, load1=0.5, connections=3, connections_mean=2.5, stats=STATS))


def nothing(*_):
    return False


def test_every_pull_once_before_any_twice_and_the_slow_link_last():
    jobs = plan.jobs(images(), SYSTEMS, nothing, reps=2)
    each = len(ALL) * len(VARIANTS) * len(SYSTEMS) * 3
    assert [job.rep for job in jobs] == [1] * each + [2] * each
    links = [job.cell.link.name for job in jobs[:each]]
    assert set(links[-each // 3:]) == {"100Mbps-35ms"} and "100Mbps-35ms" not in links[:-each // 3]
    slow = [job.cell.image.split("/")[0] for job in jobs[:each] if job.cell.link.name == "100Mbps-35ms"]
    assert {name for name in slow[:len(slow) // 2]} == {"sn-compose-post", "ml-object-detection", "vp-transcode"}


def test_what_is_compared_follows_each_other_in_an_order_of_chance():
    jobs = plan.jobs(images(), SYSTEMS, nothing, reps=1)
    size = len(VARIANTS) * len(SYSTEMS)
    blocks = [jobs[at:at + size] for at in range(0, len(jobs), size)]
    assert all(len({(job.cell.link, job.cell.image.split("/")[0]) for job in block}) == 1 for block in blocks)
    assert len({tuple((job.cell.image.split("/")[1], job.system) for job in block) for block in blocks}) > 1
    assert all(job.alone for job in jobs)


def test_a_study_goes_on_where_it_was_stopped(tmp_path):
    path, all_images = tmp_path / "images.csv", images(TINY)
    results = Results(path)
    jobs = plan.jobs(all_images, SYSTEMS, results.done, 1, ["loopback"])
    results.keep(jobs[0], all_images[jobs[0].cell.image], measured(1.5))
    results.keep_failure(jobs[1], "first", "ended with 1:\nno such host")
    again = plan.jobs(all_images, SYSTEMS, Results(path).done, 1, ["loopback"])
    assert [str(job) for job in again] == [str(job) for job in jobs[1:]]
    assert Results(path).failures.rows()[0]["error"] == "ended with 1: no such host"


def test_the_schema(tmp_path):
    path, all_images = tmp_path / "images.csv", images(TINY)
    results = Results(path)
    job = next(job for job in plan.jobs(all_images, SYSTEMS, nothing, 1, ["loopback"])
               if job.cell.image == "tiny-one/original" and job.system == "docker")
    results.keep(job, all_images[job.cell.image], measured(1.5))
    head, row = path.read_text().splitlines()
    assert head == "application,function,variant,link,system,rep,compressed_bytes,uncompressed_bytes,files,layers,seconds"
    assert row == "tiny,tiny-one,original,loopback,docker,1,100000000,300000000,1045,10,1.500"


def test_pulls_of_other_images_are_not_mixed_in(tmp_path):
    path, all_images = tmp_path / "images.csv", images(TINY)
    results = Results(path)
    job = plan.jobs(all_images, SYSTEMS, nothing, 1, ["loopback"])[0]
    results.keep(job, all_images[job.cell.image], measured(1.5))
    results.about(all_images)
    function, variant = job.cell.image.split("/")
    other = {job.cell.image: image(next(one for one in TINY if one.name == function), variant, 33)}
    with pytest.raises(SystemExit, match="another"):
        Results(path).about(other)


def rows():
    found = []
    for number, function in enumerate(ALL):
        for variant in VARIANTS:
            one = image(function, variant, 100 if variant == "original" else 20 + 10 * number)
            for link, rate in (("loopback", 8000), ("1Gbps-35ms", 1000), ("100Mbps-35ms", 100)):
                for system, factor in (("docker", 1.0), ("paceline-adaptive", 0.5)):
                    seconds = factor * (0.5 + one.uncompressed / 1e8) + one.bytes * 8e-6 / rate
                    found.append(dict(zip(COLUMNS, map(str, (function.application, function.name, variant, link, system, 1, one.bytes,
                                                             one.uncompressed, one.files, len(one.layers), seconds)))))
    return found


def test_savings():
    pulls = Pulls(rows())
    assert pulls.functions() == [function.name for function in ALL]
    assert pulls.size_saving("sn-compose-post").percent == pytest.approx(80)
    saving = pulls.time_saving("sn-compose-post", "loopback", "docker")
    assert saving.before == pytest.approx(3.5 + 0.1) and saving.amount == pytest.approx(2.4 + 0.08)
    assert pulls.time_saving("sn-compose-post", "loopback", "containerd") is None


def test_the_report_is_written_of_what_there_is(tmp_path):
    path = tmp_path / "images.csv"
    results = Results(path)
    for row in rows():
        results.pulls.append(row)
    page, summary = write_report(path, tmp_path)
    text = summary.read_text()
    assert "| average size reduction, unpacked | 61 % | 55 % |" in text
    assert "largest pull-time reduction, Docker, 100Mbps-35ms | 28 %" in text
    assert "<table>" in page.read_text() and "Layer by layer" not in page.read_text()
