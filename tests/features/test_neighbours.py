"""The most similar sample of a class."""

from __future__ import annotations

import numpy as np

from sightline.features import Design, Projection, nearest_of_class
from tests.features.made import clusters


def test_the_nearest_is_of_the_class_and_of_another_unit() -> None:
    features, labels = clusters(200, 4, 30)
    units = np.arange(200)
    features[150] = features[7]  # a copy under another number
    units[150] = units[7]
    labels = labels.copy()
    labels[150] = 2
    projection = Projection.of(Design.of(features, np.arange(200)), 8)
    classes = np.where(np.arange(200) % 2, 2, 1)
    found = nearest_of_class(projection, np.arange(200), classes, labels, units)
    assert (labels[found] == classes).all()
    assert (units[found] != units).all()
    row = projection.values[9] @ projection.values.T
    row[(labels != 2) | (units == units[9])] = -2
    assert found[9] == row.argmax()
    assert (nearest_of_class(projection, np.arange(3), np.full(3, 9), labels, units) == -1).all()


def test_axes_are_the_main_ones() -> None:
    rng = np.random.default_rng(0)
    main = rng.normal(0, 1, (500, 3))
    features = (main @ rng.normal(0, 1, (3, 40)) + rng.normal(0, 0.01, (500, 40))).astype(np.float32)
    values = Projection.of(Design.of(features, np.arange(500)), 3).values
    assert np.allclose(np.linalg.norm(values, axis=1), 1, atol=1e-5)
    left = main - values @ np.linalg.lstsq(values, main, rcond=None)[0]
    assert values.shape == (500, 3)
    assert left.var() < main.var()
