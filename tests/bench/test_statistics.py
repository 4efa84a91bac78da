"""Means and their intervals."""

import numpy as np
import pytest

from personaplex.bench.records import Figure
from personaplex.bench.statistics import figure


def test_mean_and_interval_of_a_known_spread():
    values = np.random.default_rng(1).normal(3.0, 0.5, 100)
    found = figure(list(values), unit="s", better="lower")
    assert found.value == pytest.approx(values.mean())
    half = 1.96 * values.std(ddof=1) / 10  # the normal theory's interval: mean ± 1.96 s / √n
    assert found.low == pytest.approx(values.mean() - half, abs=0.01)
    assert found.high == pytest.approx(values.mean() + half, abs=0.01)
    assert (found.count, found.unit, found.better) == (100, "s", "lower")


def test_a_share_stays_between_0_and_1():
    found = figure([1.0] * 9 + [0.0])
    assert found.value == 0.9 and 0.4 < found.low < 0.9 <= found.high <= 1.0


def test_what_is_not_defined_is_left_out_and_not_counted():
    assert figure([None, 2.0, float("nan"), 4.0, None]).count == 2
    assert figure([None, 2.0, 4.0]).value == 3.0
    assert figure([None, float("nan")], unit="s") == Figure(None, None, None, 0, "s")
    assert figure([]) == Figure(None)


@pytest.mark.parametrize("values", [[0.7], [1.0, 1.0, 1.0]])
def test_no_interval_without_spread(values):
    found = figure(values)
    assert (found.value, found.low, found.high, found.count) == (pytest.approx(values[0]), None, None, len(values))


def test_two_numbers_have_an_interval_inside_them():
    found = figure([0.0, 1.0])
    assert found.value == 0.5 and 0.0 <= found.low < 0.5 < found.high <= 1.0


def test_the_same_seed_gives_the_same_interval():
    values = [0.1, 0.4, 0.35, 2.0, 0.2]
    assert figure(values, seed=3) == figure(values, seed=3)
    assert figure(values, seed=3) != figure(values, seed=4)


def test_a_direction_that_is_none():
    with pytest.raises(ValueError, match="better"):
        figure([1.0], better="bigger")
