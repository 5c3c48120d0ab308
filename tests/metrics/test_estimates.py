"""Intervals against scipy and closed forms, and the same digits every time."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from sightline.metrics import Estimate, wilson
from sightline.metrics.estimates import RESAMPLES, Z, bootstrap, share, units_of


def test_z_is_the_normal_quantile() -> None:
    assert norm.ppf(0.975) == pytest.approx(Z, abs=1e-15)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20_000), st.data())
def test_wilson_is_scipys(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    wanted = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k, n) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.booleans())
def test_the_interval_holds_the_value_and_stays_within_0_and_1(credit: list[float], grouped: bool) -> None:
    groups = [i // 3 for i in range(len(credit))] if grouped else None
    e = share(np.array(credit), groups)
    assert 0 <= e.low <= e.high <= 1
    if e.groups is None:
        assert e.low <= e.value <= e.high
    assert e.n == len(credit)


def test_bounds_at_0_and_all_right() -> None:
    assert share(np.zeros(7)).low == 0.0
    assert share(np.ones(7)).high == 1.0
    assert share(np.ones(7)).low == pytest.approx(7 / (7 + Z * Z))


def test_groups_of_one_are_independent_samples() -> None:
    credit = np.array([1.0, 0, 1, 1])
    assert share(credit, ["a", "b", "c", "d"]) == share(credit)


def test_groups_change_the_interval_not_the_value() -> None:
    """Copying every sample ten times tells nothing new: the interval stays about as wide, far wider than Wilson's."""
    once = np.random.default_rng(3).random(200) < 0.8
    alone, copied = share(once.astype(float)), share(np.repeat(once, 10).astype(float), np.repeat(np.arange(200), 10))
    naive = share(np.repeat(once, 10).astype(float))
    assert copied.value == alone.value == naive.value
    assert (copied.n, copied.groups) == (2000, 200)
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=0.1)
    assert copied.high - copied.low > 2.5 * (naive.high - naive.low)


def test_groups_that_agree_are_not_certain() -> None:
    """Five patients, all right: the bootstrap alone would say [100, 100]."""
    e = share(np.ones(50), np.repeat(np.arange(5), 10))
    assert (e.low, e.high) == pytest.approx(wilson(5, 5))
    assert share(np.ones(4), ["same"] * 4).low == pytest.approx(wilson(1, 1)[0])


def test_bootstrap_of_a_mean_has_the_textbook_spread() -> None:
    x = np.random.default_rng(0).normal(3, 2, 400)
    values = bootstrap(np.stack([x, np.ones(400)], 1), lambda t: t[:, 0] / t[:, 1], np.arange(400))
    assert len(values) == RESAMPLES
    assert values.mean() == pytest.approx(x.mean(), abs=0.01)
    assert values.std() == pytest.approx(x.std() / 20, rel=0.06)


def test_bootstrap_is_the_same_every_time_and_keeps_the_global_generator() -> None:
    sums = np.stack([np.arange(30.0), np.ones(30)], 1)
    np.random.seed(1)
    before = np.random.get_state()[1].copy()  # type: ignore[index]
    first = bootstrap(sums, lambda t: t[:, 0] / t[:, 1], np.arange(30) // 2)
    again = bootstrap(sums, lambda t: t[:, 0] / t[:, 1], np.arange(30) // 2)
    assert np.array_equal(first, again)
    assert np.array_equal(before, np.random.get_state()[1])


def test_bootstrap_in_blocks_draws_whole_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.metrics.estimates.BLOCK", 7 * 30)
    drawn: list[np.ndarray] = []

    def count(totals: np.ndarray) -> np.ndarray:
        drawn.append(totals)
        return totals[:, 0]

    assert (bootstrap(np.ones((30, 1)), count, np.arange(30)) == 30).all()
    assert {len(d) for d in drawn} == {7, RESAMPLES % 7}


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(0.941, 0.936, 0.945, 10000), "94.1 % [93.6, 94.5] n=10000"),
        (Estimate(0.941, 0.936, 0.945, 10000, look=1), "94.1 % [93.6, 94.5] n=10000, look 1"),
        (Estimate(0.906, 0.879, 0.929, 961, 240), "90.6 % [87.9, 92.9] n=961 in 240 groups"),
        (Estimate(0.2134, 0.2, 0.2261, 50, unit="nat"), "0.213 [0.200, 0.226] n=50"),
        (share(np.zeros(0)), "no samples"),
    ],
)
def test_text(estimate: Estimate, text: str) -> None:
    assert str(estimate) == text


@pytest.mark.parametrize(
    "estimate",
    [Estimate(0.5, 0.4, 0.6, 10), Estimate(0.5, 0.4, 0.6, 10, 3, look=2), Estimate(1.5, 0.0, math.inf, 1, unit="nat")],
)
def test_json_round_trip(estimate: Estimate) -> None:
    stored = json.dumps(estimate.to_json(), allow_nan=False)
    assert Estimate.from_json(json.loads(stored), unit=estimate.unit, look=estimate.look) == estimate


def test_json_of_nothing() -> None:
    assert share(np.zeros(0)).to_json() == {"value": None, "low": 0.0, "high": 1.0, "n": 0}
    assert math.isnan(Estimate.from_json(share(np.zeros(0)).to_json()).value)


def test_units() -> None:
    units, count = units_of(4, ["b", "a", "b", "c"])
    assert count == 3
    assert units[0] == units[2] != units[1]
    assert units_of(2, ["a", "b"])[1] is None
    assert units_of(2, None)[0].tolist() == [0, 1]
