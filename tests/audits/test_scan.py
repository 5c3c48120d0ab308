"""The search for regions of a factor: what it finds, what it leaves alone, and its arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.audits.regions import Column, Condition, Region, inside, log10_tail
from sightline.audits.scan import scan

N = 2_000


def draws(seed: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1 << 63, N).astype(np.uint64)


def labels(seed: int = 1, classes: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, classes, N)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=N).astype(np.float32)


def test_noise_has_no_region() -> None:
    columns = [Column(name=f"noise {i}", values=noise(i)) for i in range(10)]
    for label in range(5):
        assert scan(columns, labels(), label, draws()) is None


@pytest.mark.parametrize("share", [0.15, 0.5])
def test_a_region_of_a_measure_is_found_and_bounded(share: float) -> None:
    y, values = labels(), noise(3)
    marked = np.flatnonzero(y == 2)[: int(share * (y == 2).sum())]
    values[marked] = np.random.default_rng(9).uniform(5, 6, len(marked)).astype(np.float32)
    region = scan([Column(name="noise", values=noise(4)), Column(name="mark", values=values)], y, 2, draws())
    assert region is not None
    (condition,) = region.conditions
    assert condition.column == "mark"
    assert 3 < condition.low <= 5.5
    assert region.purity > 0.95
    assert region.log10_even < -6
    assert abs(region.reach - share) < 0.1
    assert 0.9 < region.excess <= 1


def test_a_region_of_two_columns_needs_both() -> None:
    y = labels()
    a, b = (np.random.default_rng(s).uniform(size=N).astype(np.float32) for s in (5, 6))
    y[(a > 0.7) & (b > 0.7)] = 1
    columns = [Column(name="a", values=a), Column(name="b", values=b)]
    region = scan(columns, y, 1, draws())
    assert region is not None
    assert {c.column for c in region.conditions} == {"a", "b"}
    assert region.purity > 0.9
    np.testing.assert_array_equal(inside(region.conditions, columns).sum() > 100, True)


def test_a_rare_value_is_not_hidden_by_its_neighbours() -> None:
    """JPEG quality 85 on a twentieth of one class of ten, where everybody else has 80 … 95 but not 85."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, N)
    quality = rng.choice([80, 82, 84, 86, 88, 90, 95], N).astype(np.float32)
    marked = np.flatnonzero(y == 4)[:12]
    quality[marked] = 85
    region = scan([Column(name="JPEG quality", values=quality)], y, 4, draws())
    assert region is not None
    assert str(region) == "JPEG quality 85"
    assert (region.hits, region.size) == (12, 12)


def test_kinds_are_taken_one_by_one() -> None:
    rng = np.random.default_rng(2)
    y = rng.integers(0, 4, N)
    camera = rng.integers(0, 3, N)
    camera[np.flatnonzero(y == 0)[::3]] = 3
    column = Column(name="camera", values=camera.astype(np.float32), kinds=("none", "A", "B", "C"))
    region = scan([column], y, 0, draws())
    assert region is not None
    assert str(region) == "camera C"
    assert region.purity == 1


def test_missing_values_are_in_no_region() -> None:
    values = np.array([np.nan, 1, 2, 3], np.float32)
    condition = Condition(column="x", low=-math.inf, high=math.inf)
    assert condition.holds(values).tolist() == [False, True, True, True]


def test_the_majority_is_not_given_away_by_being_many() -> None:
    y = (np.random.default_rng(3).uniform(size=N) > 0.95).astype(np.int64)
    columns = [Column(name=f"noise {i}", values=noise(i)) for i in range(5)]
    region = scan(columns, y, 0, draws())
    assert region is None or region.excess < 0.7


def test_the_same_samples_in_another_order_give_the_same_region() -> None:
    y, values, d = labels(), noise(3), draws()
    values[np.flatnonzero(y == 2)[:150]] += 6
    order = np.random.default_rng(1).permutation(N)
    found = [scan([Column(name="v", values=v)], t, 2, w)
             for v, t, w in ((values, y, d), (values[order], y[order], d[order]))]  # fmt: skip
    one, other = found
    assert isinstance(one, Region)
    assert isinstance(other, Region)
    assert (one.conditions, one.hits, one.size) == (other.conditions, other.hits, other.size)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.sampled_from([0.05, 0.5, 0.55, 0.9]))
def test_the_tail_is_the_binomial_sum(hits: int, more: int, p: float) -> None:
    size = hits + more
    exact = sum(Fraction(math.comb(size, i)) * Fraction(p) ** i * (1 - Fraction(p)) ** (size - i)
                for i in range(hits, size + 1))  # fmt: skip
    log = math.log10(exact.numerator) - math.log10(exact.denominator) if size else 0.0
    assert log10_tail(hits, size, p) == pytest.approx(log, abs=1e-8)


@pytest.mark.parametrize(("condition", "said"), [
    (Condition(column="x", low=-math.inf, high=0.25), "x ≤ 0.25"),
    (Condition(column="x", low=0.5, high=math.inf), "x ≥ 0.5"),
    (Condition(column="x", low=1, high=2), "x 1 to 2"), (Condition(column="x", low=85, high=85), "x 85"),
    (Condition(column="x", low=1, high=1, kind="A"), "x A"),
])  # fmt: skip
def test_conditions_in_words(condition: Condition, said: str) -> None:
    assert str(condition) == said
