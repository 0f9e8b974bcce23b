"""The arithmetic behind what is explained by what."""

import random

import pytest

from images.report.regression import Explained, fit_growing, solve


def noise(seed, count=60):
    source = random.Random(seed)
    return [source.gauss(0, 1) for _ in range(count)]


def test_a_system_is_solved_and_a_dependent_column_gets_nothing():
    assert solve([[2, 0], [0, 4]], [2, 2]) == pytest.approx([1, 0.5])
    first, second = solve([[1, 1], [1, 1]], [3, 3])
    assert first + second == pytest.approx(3)


def test_what_a_factor_does_it_explains():
    size, other, error = noise(1), noise(2), noise(3)
    found = Explained({"size": size, "other": other}, [5 * a + 0.1 * c for a, c in zip(size, error)])
    assert found.r2() > 0.99 and found.r2(["size"]) > 0.99 and found.r2(["other"]) < 0.2
    shares = found.shares()
    assert sum(shares.values()) == pytest.approx(found.r2()) and shares["size"] > 0.9


def test_two_factors_that_are_the_same_share_what_they_explain():
    size = noise(1)
    found = Explained({"size": size, "files": [7 * value for value in size], "rtt": [35.0] * len(size)}, [2 * value for value in size])
    assert found.r2() == pytest.approx(1)
    assert found.shares() == {"size": pytest.approx(0.5), "files": pytest.approx(0.5)}  # and what does not vary has no share


def test_a_fit_has_no_slope_below_zero():
    size, files = [1.0, 2, 3, 4, 5, 6], [6.0, 1, 5, 2, 4, 3]
    fit = fit_growing({"size": size, "files": files}, [3 + 2 * a - 0.1 * b for a, b in zip(size, files)])
    assert fit.slopes["files"] == 0 and fit.slopes["size"] == pytest.approx(2, abs=0.1) and fit.r2 > 0.98
    exact = fit_growing({"size": size, "files": files}, [3 + 2 * a + 0.5 * b for a, b in zip(size, files)])
    assert (exact.constant, exact.slopes) == (pytest.approx(3), {"size": pytest.approx(2), "files": pytest.approx(0.5)})
    assert exact.r2 == pytest.approx(1)


def test_values_that_do_not_vary_are_no_error():
    assert Explained({"size": [1.0, 2, 3]}, [4.0, 4, 4]).r2() == 0
    assert fit_growing({"size": [1.0, 2, 3]}, [4.0, 4, 4]).slopes == {"size": 0.0}
