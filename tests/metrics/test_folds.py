"""Folds put together: one estimate over all predictions, never the mean of the folds' figures."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.errors import DataError
from sightline.metrics import pooled, top1
from sightline.predictions import Predictions
from tests.metrics.test_measures import random_predictions
from tests.test_predictions import predictions_of


def answers(right: list[int], first: int = 0) -> Predictions:
    """Predictions of two classes: 1 for each right one; samples are numbered from `first`."""
    logits = np.eye(2, dtype=np.float32)[[1 - r for r in right]]
    whole = predictions_of(np.concatenate([np.zeros((first, 2), np.float32), logits]), [0] * (first + len(right)))
    return whole.take(np.arange(first, first + len(right)))


def test_every_sample_weighs_the_same() -> None:
    folds = {0: answers([1] * 8), 1: answers([0, 0], first=8)}
    found = pooled(folds)
    assert found.top1.value == 0.8
    assert found.top1.n == 10
    assert found.each == {0: 1.0, 1: 0.0}, "their mean would be .5"
    assert found.deviation == pytest.approx(np.std([1, 0], ddof=1))
    assert str(found).endswith(" n=10 · folds 0.0 … 100.0 %, deviation 70.7")


def test_the_parts_of_a_set_give_the_figure_of_the_set() -> None:
    whole = random_predictions(300)
    parts = {i: whole.take(np.arange(300) % 3 == i) for i in range(3)}
    assert pooled(parts).top1 == top1(whole)


def test_repeats_are_no_new_observations() -> None:
    whole = random_predictions(120)
    once, thrice = pooled({0: whole}), pooled({0: whole, 1: whole, 2: whole})
    assert thrice.top1.value == pytest.approx(once.top1.value)
    assert (thrice.top1.n, thrice.top1.groups) == (360, 120)
    widths = [found.top1.high - found.top1.low for found in (once, thrice)]
    assert widths[1] == pytest.approx(widths[0], rel=0.1)
    assert once.deviation is None


def test_groups_that_several_folds_hold_are_one() -> None:
    whole = random_predictions(60)
    parts = {i: whole.take(np.arange(60) % 2 == i) for i in range(2)}
    found = pooled(parts, {i: [f"patient {k // 5}" for k in range(30)] for i in range(2)})
    assert found.top1.groups == 6


def test_what_cannot_be_pooled() -> None:
    with pytest.raises(DataError, match="no folds to pool"):
        pooled({})
    with pytest.raises(DataError, match="Fold 1 predicts other classes"):
        pooled({0: answers([1, 1]), 1: random_predictions(9)})
    with pytest.raises(DataError, match="None of the predictions of fold 4 has a label"):
        pooled({4: predictions_of(np.zeros((2, 2), np.float32), [None, None])})
