"""Held-out answers are those of the fit without the unit, refitted in full by another library."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import DataError
from sightline.features import Design, Ridge, chosen_ridge, ridge
from tests.features.made import clusters

linear_model = pytest.importorskip("sklearn.linear_model")
FEW = settings(max_examples=25, deadline=None)


def refitted(design: Design, labels: np.ndarray, size: int, units: np.ndarray, regularization: float) -> np.ndarray:
    whole = design.block(slice(0, len(design))).astype(np.float64)
    truth = np.eye(size)[labels]
    out = np.empty_like(truth)
    for unit in np.unique(units):
        inside = units == unit
        fit = linear_model.Ridge(alpha=regularization * len(labels)).fit(whole[~inside], truth[~inside])
        out[inside] = fit.predict(whole[inside])
    return out


@FEW
@given(
    n=st.integers(6, 40), width=st.integers(1, 50), size=st.integers(2, 4), groups=st.integers(2, 40),
    power=st.integers(-3, 1), seed=st.integers(0, 5),
)  # fmt: skip
def test_answers_are_those_of_a_refit(n: int, width: int, size: int, groups: int, power: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    features, labels = clusters(n, size, width, seed=seed)
    units = rng.integers(0, groups, n)
    if len(np.unique(units)) < 2:
        units[0] = groups
    design = Design.of(features, np.arange(n))
    wanted = refitted(design, labels, size, units, 10.0**power)
    for made in (design, design.compacted()):
        found = Ridge(made, 10.0**power).held_out(labels, size, units)
        assert np.abs(found - wanted).max() < 5e-3


def test_large_units_are_answered_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = clusters(300, 3)
    units = np.minimum(np.arange(300) // 60, 4) % 5
    design = Design.of(features, np.arange(300))
    small = Ridge(design, 0.01).held_out(labels, 3, units)
    monkeypatch.setattr(ridge, "LARGE", 50)
    large = Ridge(design, 0.01).held_out(labels, 3, units)
    assert np.abs(small - large).max() < 1e-4
    assert np.abs(large - refitted(design, labels, 3, units, 0.01)).max() < 1e-3


def test_a_unit_learns_nothing_from_itself() -> None:
    """Labels that copies share, and nothing else: leave-one-out is right, leaving the copies out is a coin."""
    rng = np.random.default_rng(0)
    people = rng.normal(0, 1, (60, 40))
    features = (people.repeat(4, 0) + rng.normal(0, 0.05, (240, 40))).astype(np.float32)
    labels, units = rng.integers(0, 2, 60).repeat(4), np.arange(60).repeat(4)
    design = Design.of(features, np.arange(240))
    fit = Ridge(design, 0.001)
    assert (fit.held_out(labels, 2, np.arange(240)).argmax(1) == labels).mean() > 0.8
    assert (fit.held_out(labels, 2, units).argmax(1) == labels).mean() < 0.65


def test_some_rows_are_answered_as_among_all() -> None:
    features, labels = clusters(120, 3)
    units = np.arange(120) // 3
    fit = Ridge(Design.of(features, np.arange(120)), 0.1)
    which = np.flatnonzero(units % 4 == 1)
    assert np.allclose(fit.held_out(labels, 3, units, which), fit.held_out(labels, 3, units)[which], atol=1e-5)


def test_rows_of_other_samples_are_not_touched() -> None:
    features, labels = clusters(60, 2)
    holed = np.full((90, features.shape[1]), np.nan, np.float32)
    rows = np.sort(np.random.default_rng(0).permutation(90)[:60])
    holed[rows] = features
    apart = Ridge(Design.of(holed, rows), 0.1).held_out(labels, 2, np.arange(60))
    assert np.array_equal(apart, Ridge(Design.of(features, np.arange(60)), 0.1).held_out(labels, 2, np.arange(60)))
    with pytest.raises(DataError, match="not finite"):
        Design.of(holed, np.arange(90))


def test_regularization_follows_the_noise() -> None:
    """Clear classes want little, faint ones a lot, and nobody says which is which; nothing to learn is a coin."""
    rows = np.arange(400)

    def chosen(apart: float, labels: np.ndarray | None = None) -> tuple[float, float]:
        features, truth = clusters(400, 2, 60, apart=apart)
        fit, scale = chosen_ridge(Design.of(features, rows), truth if labels is None else labels, 2, rows)
        return fit.regularization, scale.loss

    clear, faint = chosen(0.8), chosen(0.12)
    assert faint[0] > 8 * clear[0]
    assert clear[1] < 0.2 < 0.5 < faint[1] < np.log(2)
    nothing = np.random.default_rng(1).integers(0, 2, 400)
    assert chosen(0.8, nothing)[1] == pytest.approx(np.log(2), abs=0.03)


@FEW
@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(1, 20))
def test_portions_hold_whole_units_once(sizes: list[int], most: int) -> None:
    units = np.repeat(np.arange(len(sizes)), sizes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ridge, "BLOCK", most)
        portions = ridge._portions(units)
    assert [i for b, e in portions for i in range(b, e)] == list(range(len(units)))
    for begin, end in portions:
        assert begin == 0 or units[begin - 1] != units[begin]
        assert end - begin <= most or units[begin] == units[end - 1]


def test_columns_that_do_not_vary_count_for_nothing() -> None:
    features, labels = clusters(50, 2)
    wider = np.concatenate([features, np.full((50, 3), 7.3, np.float32)], 1).astype(np.float16)
    design = Design.of(wider, np.arange(50))
    assert not design.factor[-3:].any()
    assert np.isfinite(Ridge(design, 0.01).held_out(labels, 2, np.arange(50))).all()
