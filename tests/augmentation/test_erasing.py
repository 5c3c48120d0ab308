"""RandomErasing: where, how often and what it erases."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as F

from sightline.augmentation import RandomErasing
from sightline.errors import RecipeError
from sightline.randomness import Draws
from tests.augmentation.material import HASHES, Array, N, sizes

VALUES = np.random.default_rng(0).normal(size=(30, 40, 3)).astype(np.float32)


def drawn(erasing: RandomErasing, height: int = 30, width: int = 40, n: int = N) -> Array:
    return erasing.draw(Draws(0, 0, HASHES[:n]), 0, sizes(height, width, n))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.floats(0.01, 1), st.floats(0.2, 5))
def test_boxes_lie_inside_and_are_smaller_than_the_image(height: int, width: int, low: float, ratio: float) -> None:
    erasing = RandomErasing(p=1, scale=(low, 1), ratio=(min(ratio, 1), max(ratio, 1)))
    top, left, h, w = drawn(erasing, height, width, 200)["box"].T
    assert min(top.min(), left.min(), h.min(), w.min()) >= 0
    assert (top + h).max() <= height
    assert (left + w).max() <= width
    assert ((h < height) & (w < width)).all()


def test_boxes_have_the_areas_ratios_and_places_that_were_asked_for() -> None:
    top, left, h, w = drawn(RandomErasing(p=1), 1000, 1000)["box"].T
    area, ratio = h * w / 1e6, h / w
    assert 0.019 < area.min() < 0.021
    assert 0.32 < area.max() < 0.331
    assert area.mean() == pytest.approx(0.175, rel=0.03)
    assert 0.29 < ratio.min() < 0.31
    assert 3.2 < ratio.max() < 3.35
    assert np.log(ratio).mean() == pytest.approx((math.log(0.3) + math.log(3.3)) / 2, abs=0.05)
    for start, length in ((top, h), (left, w)):
        share = start / (1000 - length)
        assert share.mean() == pytest.approx(0.5, abs=0.02)
        assert share.std() == pytest.approx(1 / math.sqrt(12), abs=0.01)


@pytest.mark.parametrize("p", [0.0, 0.25, 1.0])
def test_it_comes_as_often_as_asked(p: float) -> None:
    assert (drawn(RandomErasing(p=p))["box"][:, 2] > 0).mean() == pytest.approx(p, abs=0.03)


@pytest.mark.parametrize("value", [0.0, 2.5, (0.5, -1.0, 2.0)])
def test_a_box_of_one_value_is_torchvisions(value: float | tuple[float, ...]) -> None:
    for row in drawn(RandomErasing(p=1, value=value), n=9):
        top, left, h, w = (int(v) for v in row["box"])
        filled = torch.tensor(value, dtype=torch.float32).reshape(-1, 1, 1)
        theirs = F.erase(torch.from_numpy(VALUES).permute(2, 0, 1), top, left, h, w, filled)
        ours = RandomErasing(value=value).apply(VALUES, row)
        assert np.array_equal(ours, theirs.permute(1, 2, 0).numpy())


def test_noise_is_standard_normal_and_the_samples_own() -> None:
    erasing = RandomErasing(p=1, value="random")
    rows = drawn(erasing, n=400)
    noise, outside = [], np.ones(VALUES.shape, bool)
    for row in rows:
        top, left, h, w = (int(v) for v in row["box"])
        out = erasing.apply(VALUES, row)
        assert np.array_equal(out, erasing.apply(VALUES, row))
        noise.append(out[top : top + h, left : left + w].ravel())
        outside[:] = True
        outside[top : top + h, left : left + w] = False
        assert np.array_equal(out[outside], VALUES[outside])
    values = np.concatenate(noise)
    count = len(values)
    assert count > 100_000
    assert abs(values.mean()) < 4.5 / math.sqrt(count)
    assert abs(values.var() - 1) < 4.5 * math.sqrt(2 / count)
    assert abs((values**3).mean()) < 4.5 * math.sqrt(15 / count)
    assert abs((values**4).mean() - 3) < 4.5 * math.sqrt(96 / count)
    firsts = np.array([v[0] for v in noise])
    assert len(np.unique(firsts)) == len(rows)
    pairs = np.concatenate([v[: len(v) // 2 * 2].reshape(2, -1).T for v in noise])
    assert abs((pairs[:, 0] * pairs[:, 1]).mean()) < 4.5 / math.sqrt(len(pairs))


def test_the_argument_is_not_changed_but_erase_works_in_place() -> None:
    erasing = RandomErasing(p=1, value=9.0)
    row = drawn(erasing, n=1)[0]
    values = VALUES.copy()
    out = erasing.apply(values, row)
    assert np.array_equal(values, VALUES)
    erasing.erase(values, row)
    assert np.array_equal(values, out)
    assert (values == 9).sum() == 3 * row["box"][2] * row["box"][3]
    assert erasing.describe(row) == "erased {2} × {3} at ({0}, {1})".format(*row["box"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"p": 2}, "RandomErasing.p must be a probability"),
        ({"scale": (0, 0.3)}, "RandomErasing.scale"),
        ({"ratio": (3, 0.3)}, "RandomErasing.ratio"),
        ({"value": "noise"}, "a number, one for each channel, or 'random', got 'noise'"),
        ({"value": (1.0, 2.0)}, "RandomErasing.value"),
        ({"value": float("nan")}, "RandomErasing.value"),
        ({"value": True}, "RandomErasing.value"),
    ],
)
def test_mistakes_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        RandomErasing(**change)


def test_a_value_for_other_channels_is_refused() -> None:
    row = drawn(RandomErasing(p=1), n=1)[0]
    with pytest.raises(RecipeError, match=r"one number for each of the 1 channels, got \(1.0, 2.0, 3.0\)"):
        RandomErasing(value=(1.0, 2.0, 3.0)).apply(VALUES[..., :1], row)
