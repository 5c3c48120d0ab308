"""MixUp and CutMix: what they draw, and what they make of a batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import v2

from sightline.augmentation import Augmentation, CutMix, Mixture, MixUp, mixed
from sightline.errors import RecipeError
from sightline.randomness import generator
from tests.augmentation.material import Array

SIZES = st.tuples(st.integers(1, 20), st.integers(1, 20))


def batch(n: int, height: int = 6, width: int = 5, classes: int = 4) -> tuple[Array, Array]:
    rng = np.random.default_rng(n)
    targets = np.eye(classes, dtype=np.float32)[rng.integers(0, classes, n)]
    return rng.normal(size=(n, height, width, 3)).astype(np.float32), targets


@settings(max_examples=60, deadline=None)
@given(SIZES, st.integers(0, 10_000), st.floats(0.05, 4))
def test_a_mixture_is_pure_and_its_weight_is_the_share_of_own_pixels(
    size: tuple[int, int], step: int, alpha: float
) -> None:
    for kind in (MixUp, CutMix):
        mixture = kind(alpha=alpha).draw(generator(3, 1, step), size)
        assert mixture == kind(alpha=alpha).draw(generator(3, 1, step), size)
        assert 0 <= mixture.weight <= 1
        if kind is MixUp:
            assert mixture.box is None
        else:
            assert mixture.box is not None
            top, left, height, width = mixture.box
            assert min(mixture.box) >= 0
            assert top + height <= size[0]
            assert left + width <= size[1]
            assert mixture.weight == 1 - height * width / (size[0] * size[1])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.sampled_from([MixUp(alpha=1.0), CutMix()]), st.integers(0, 99), st.data())
def test_mixed_by_hand(n: int, mixing: MixUp | CutMix, step: int, data: st.DataObject) -> None:
    images, targets = batch(n)
    before = images.copy(), targets.copy()
    mixture = mixing.draw(generator(0, 0, step), (6, 5))
    fine = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    got, got_targets = mixed(images, targets, mixture, fine)
    for i in range(n):
        j = n - 1 - i
        image, target = images[i], targets[i]
        if i != j and fine[i] and fine[j]:
            target = mixture.weight * targets[i] + (1 - mixture.weight) * targets[j]
            if mixture.box is None:
                image = mixture.weight * images[i] + (1 - mixture.weight) * images[j]
            else:
                top, left, height, width = mixture.box
                image = images[i].copy()
                image[top : top + height, left : left + width] = images[j][top : top + height, left : left + width]
        assert got[i] == pytest.approx(image, abs=1e-6)
        assert got_targets[i] == pytest.approx(target, abs=1e-6)
    assert got_targets.sum(axis=1) == pytest.approx(np.ones(n))
    assert got.dtype == got_targets.dtype == np.float32
    assert np.array_equal(images, before[0])
    assert np.array_equal(targets, before[1])
    everything = mixed(images, targets, mixture)
    assert np.array_equal(everything[0], mixed(images, targets, mixture, np.ones(n, bool))[0])


def test_the_share_of_each_class_is_the_share_of_its_pixels() -> None:
    images = np.zeros((2, 10, 8, 1), np.float32)
    images[1] = 1
    targets = np.eye(2, dtype=np.float32)
    for step in range(20):
        got, shares = mixed(images, targets, CutMix().draw(generator(0, 0, step), (10, 8)))
        assert got.mean(axis=(1, 2, 3)) == pytest.approx(shares[:, 1], abs=1e-6)


def test_whole_levels_stay_whole() -> None:
    images = np.array([10, 21], np.uint8).reshape(2, 1, 1, 1)
    got, _ = mixed(images, np.eye(2, dtype=np.float32), Mixture(weight=0.75))
    assert got.dtype == np.uint8
    assert got.ravel().tolist() == [13, 18]


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_draws_have_torchvisions_moments(alpha: float) -> None:
    count, size = 3000, (12, 17)
    torch.manual_seed(0)
    flat = [torch.empty(2, 3, *size)]
    for ours, theirs in ((MixUp(alpha=alpha), v2.MixUp(alpha=alpha)), (CutMix(alpha=alpha), v2.CutMix(alpha=alpha))):
        first, second = [], []
        for i in range(count):
            mixture, other = ours.draw(generator(0, 0, i), size), theirs.make_params(flat)
            top, left, height, width = mixture.box or (0, 0, 0, 0)
            x1, y1, x2, y2 = other.get("box", (0, 0, 0, 0))
            first.append((mixture.weight, mixture.weight**2, top, left, height, width, top * left, height * width))
            weight = other.get("lam", other.get("lam_adjusted"))
            second.append((weight, weight**2, y1, x1, y2 - y1, x2 - x1, y1 * x1, (y2 - y1) * (x2 - x1)))
        a, b = np.array(first), np.array(second)
        error = np.sqrt((a.var(axis=0) + b.var(axis=0)) / count) + 1e-12
        assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) / error).max() < 4.5


def test_one_of_several_is_chosen_as_often_as_the_others() -> None:
    both = Augmentation(mixing=(MixUp(), CutMix()))
    drawn = [both.mixture(generator(0, 0, i), (8, 8)) for i in range(2000)]
    assert np.mean([m is not None and m.box is None for m in drawn]) == pytest.approx(0.5, abs=0.05)
    assert Augmentation().mixture(generator(0, 0, 0), (8, 8)) is None
    assert drawn[:9] == [both.mixture(generator(0, 0, i), (8, 8)) for i in range(9)]


def test_mistakes_are_named_and_mixtures_told() -> None:
    for kind in (MixUp, CutMix):
        with pytest.raises(RecipeError, match=rf"{kind.__name__}.alpha must be above 0, got 0"):
            kind(alpha=0)
    assert Mixture(weight=0.75).describe() == "75% + 25% of its partner"
    assert Mixture(weight=0.9, box=(1, 2, 3, 4)).describe() == "its partner's 3 × 4 at (1, 2): 10%"
