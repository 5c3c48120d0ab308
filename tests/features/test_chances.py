"""Answers to probabilities: the weights are those that an optimizer finds, and a useless source gets none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.features import blend, log_softmax


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), sources=st.integers(1, 3), size=st.integers(2, 5))
def test_weights_make_the_labels_most_likely(seed: int, sources: int, size: int) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, size, 300)
    answers = [rng.normal(0, 1, (300, size)) + rng.uniform(0, 2) * np.eye(size)[labels] for _ in range(sources)]

    def loss(weights: np.ndarray) -> float:
        logs = log_softmax(sum(w * a for w, a in zip(weights, answers, strict=True)))
        return float(-logs[np.arange(300), labels].mean())

    found = blend(answers, labels)
    best = optimize.minimize(loss, np.ones(sources), bounds=[(0, None)] * sources)
    assert found.loss == pytest.approx(loss(np.array(found.weights)), abs=1e-6)
    assert found.loss <= best.fun + 1e-5
    assert np.exp(found.log_probabilities(answers)).sum(1) == pytest.approx(np.ones(300), abs=1e-4)


def test_a_source_that_misleads_gets_nothing() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 500)
    good = 2 * np.eye(3)[labels] + rng.normal(0, 1, (500, 3))
    bad = -2 * np.eye(3)[labels] + rng.normal(0, 1, (500, 3))
    assert blend([bad], labels).weights == (0.0,)
    assert blend([bad], labels).loss == pytest.approx(np.log(3))
    noise = rng.normal(0, 1, (500, 3))
    assert blend([good, noise], labels).weights[1] < 0.2 * blend([good, noise], labels).weights[0]
