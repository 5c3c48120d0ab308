"""The embedded digits are those that scikit-learn itself loads."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from sightline.errors import MissingExtraError
from sightline.formats import scikit_digits
from sightline.indexing import index


def test_same_pixels_and_labels_as_scikit_learn() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    bunch = datasets.load_digits()
    samples = index("digits")
    np.testing.assert_array_equal(samples.labels, bunch.target)
    reader = samples.reader()
    for i in (0, 1, 900, 1796):
        # 0 … 16 is stretched to 0 … 255; the stretch can be undone.
        values = np.round(reader.pixels(i).values[:, :, 0] / 255 * 16)
        np.testing.assert_array_equal(values, bunch.images[i])


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"sightline\[digits\]"):
        scikit_digits.read()
