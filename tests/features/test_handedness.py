"""Which columns of random-patch features serve: the labels tell."""

from __future__ import annotations

import numpy as np

from sightline.features import best_design
from tests.features.made import clusters


def test_the_labels_tell_whether_left_and_right_matter() -> None:
    signal, labels = clusters(300, 3, 20, apart=0.25)
    noise = np.random.default_rng(1).normal(0, 1, (300, 20)).astype(np.float32)
    rows = np.arange(300)
    symmetric = best_design(np.concatenate([signal, noise], 1), rows, labels, 3, rows)
    assert np.array_equal(symmetric.features, signal)
    handed = best_design(np.concatenate([noise, signal], 1), rows, labels, 3, rows)
    assert np.array_equal(handed.features, np.concatenate([noise[:, ::2], signal[:, ::2]], 1))
