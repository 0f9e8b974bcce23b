"""When the report and Prometheus agree, and that each image is given each arm."""

import dataclasses

from arms import experiment
from arms.figures import Figures, Scraped, disagreements

REPORT = {"adaptive": Figures("adaptive", 10, 1200.0, 1190.0, 1180.0, 1100.0, 1300.0, 1400.0)}
PROMETHEUS = {"adaptive": Scraped("adaptive", 10, 1200.4, 1250.0, 1000.0, 1500.0)}


def with_(**changes):
    return {"adaptive": dataclasses.replace(PROMETHEUS["adaptive"], **changes)}


def test_the_same_figures_agree():
    assert disagreements(REPORT, PROMETHEUS) == []


def test_other_figures_do_not():
    assert "9 in Prometheus" in disagreements(REPORT, with_(pulls=9))[0]
    assert "mean" in disagreements(REPORT, with_(mean_ms=1300.0))[0]
    assert "median" in disagreements(REPORT, with_(bucket_low_ms=1500.0, bucket_high_ms=2000.0))[0]
    assert "knows" in disagreements(REPORT, {})[0]


def test_a_round_gives_each_image_the_next_arm():
    for images in (experiment.IMAGES, experiment.QUICK_IMAGES):
        given = {(number % images, experiment.ARMS[number % len(experiment.ARMS)]) for number in range(images * len(experiment.ARMS))}
        assert len(given) == images * len(experiment.ARMS)
