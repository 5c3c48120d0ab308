"""Crops, flips, shifts and affine maps: what they draw, and what they do to one image."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline import augmentation
from sightline.augmentation import (
    AlternatingFlip,
    Augmentation,
    PadCrop,
    RandomAffine,
    RandomHorizontalFlip,
    RandomResizedCrop,
)  # fmt: skip
from sightline.errors import RecipeError
from sightline.randomness import Draws
from tests.augmentation.material import HASHES, sizes

IMAGE = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 700), st.integers(1, 700), st.floats(0.01, 1), st.floats(0.2, 5))
def test_crops_lie_inside_the_image(height: int, width: int, low: float, ratio: float) -> None:
    crop = RandomResizedCrop(scale=(low, 1), ratio=(min(ratio, 1), max(ratio, 1)))
    top, left, h, w = crop.draw(Draws(0, 0, HASHES[:200]), 0, sizes(height, width, 200)).T
    assert min(top.min(), left.min()) >= 0
    assert min(h.min(), w.min()) >= 1
    assert (top + h).max() <= height
    assert (left + w).max() <= width


def test_crops_have_the_areas_ratios_and_places_that_were_asked_for() -> None:
    crop = RandomResizedCrop(scale=(0.3, 0.6), ratio=(0.5, 2))
    top, left, h, w = crop.draw(Draws(0, 0, HASHES), 0, sizes(1000, 1000)).T
    area = h * w / 1e6
    assert area.min() >= 0.299
    assert area.max() <= 0.601
    assert area.mean() == pytest.approx(0.44, abs=0.01)
    assert np.median(w / h) == pytest.approx(1, abs=0.03)
    assert (w / h > 1.5).mean() == pytest.approx((math.log(2) - math.log(1.5)) / math.log(4), abs=0.03)
    for start, length in ((top, h), (left, w)):
        share = start[length < 1000] / (1000 - length[length < 1000])
        assert share.mean() == pytest.approx(0.5, abs=0.02)
        assert share.std() == pytest.approx(1 / math.sqrt(12), abs=0.01)


def test_an_image_that_no_crop_fits_is_taken_from_its_middle() -> None:
    boxes = RandomResizedCrop(scale=(1.0, 1.0), ratio=(1.0, 1.0)).draw(Draws(0, 0, HASHES[:3]), 0, sizes(100, 301, 3))
    assert boxes.tolist() == [[0, 100, 100, 100]] * 3


@pytest.mark.parametrize("p", [0.0, 0.25, 0.5, 1.0])
def test_flips_come_as_often_as_asked(p: float) -> None:
    flipped = RandomHorizontalFlip(p=p).draw(Draws(0, 0, HASHES), 0, sizes(1, 1))
    assert flipped.mean() == pytest.approx(p, abs=0.03)
    assert np.array_equal(RandomHorizontalFlip().apply(IMAGE, True), IMAGE[:, ::-1])
    assert np.array_equal(RandomHorizontalFlip().apply(IMAGE, False), IMAGE)


def test_two_epochs_of_alternating_flips_show_both_sides() -> None:
    epochs = [AlternatingFlip().draw(Draws(0, e, HASHES), 0, sizes(1, 1)) for e in range(4)]
    assert epochs[0].mean() == pytest.approx(0.5, abs=0.03)
    for before, after in pairwise(epochs):
        assert np.array_equal(before, ~after)


@pytest.mark.parametrize("border", ["reflect", "black"])
def test_pad_crop_is_numpys_pad_and_a_window(border: str) -> None:
    crop = PadCrop(padding=3, border=border)
    mode: Any = "reflect" if border == "reflect" else "constant"
    padded = np.pad(IMAGE, ((3, 3), (3, 3), (0, 0)), mode=mode)
    assert np.array_equal(crop.padded(IMAGE), padded)
    offsets = crop.draw(Draws(0, 0, HASHES), 0, sizes(9, 12))
    assert set(map(tuple, offsets.tolist())) == {(i, j) for i in range(7) for j in range(7)}
    for top, left in offsets[:20]:
        assert np.array_equal(crop.apply(IMAGE, (top, left)), padded[top : top + 9, left : left + 12])
    assert np.array_equal(crop.apply(IMAGE, (3, 3)), IMAGE)


def test_affine_by_hand() -> None:
    still = RandomAffine(degrees=0, scale=(1, 1), translate=0)
    for p in still.draw(Draws(0, 0, HASHES[:3]), 0, sizes(9, 12, 3)):
        assert np.array_equal(still.apply(IMAGE, p), IMAGE)
    square = IMAGE[:, :9]
    quarter = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    assert np.array_equal(still.apply(square, quarter), np.rot90(square, -1))
    moved = np.array([[1.0, 0.0, -2.0], [0.0, 1.0, 0.0]])
    assert np.array_equal(still.apply(IMAGE, moved)[:, 2:], IMAGE[:, :-2])
    assert not still.apply(IMAGE, moved)[:, :2].any()
    halfway = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]])
    wanted = (IMAGE[:, :-1].astype(int) + IMAGE[:, 1:]) / 2
    assert np.abs(still.apply(IMAGE, halfway)[:, :-1] - wanted).max() <= 0.5


def test_affine_parameters_are_within_their_bounds() -> None:
    affine = RandomAffine(degrees=20, scale=(0.8, 1.25), translate=0.1, shear=5)
    inverse = affine.draw(Draws(0, 0, HASHES), 0, sizes(50, 80))
    forward = np.linalg.inv(inverse[:, :, :2])
    area = np.linalg.det(forward)
    assert area.min() > 0.8**2 - 1e-9
    assert area.max() < 1.25**2 + 1e-9
    angle = np.degrees(np.arctan2(forward[:, 1, 0], forward[:, 0, 0]))
    assert 19.5 < np.abs(angle).max() <= 20 + 1e-9
    moved = -np.einsum("nij,nj->ni", forward, inverse[:, :, 2])
    assert 7.9 < np.abs(moved[:, 0]).max() <= 8
    assert 4.9 < np.abs(moved[:, 1]).max() <= 5


def test_places_in_the_list_draw_independently() -> None:
    twice = Augmentation(transforms=(RandomHorizontalFlip(), RandomHorizontalFlip()))
    first, second = (twice.draw(Draws(0, 0, HASHES), k, sizes(1, 1)) for k in range(2))
    assert (first == second).mean() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomResizedCrop(scale=(0.5, 0.1)), r"Crop.scale must be 0 < low <= high <= 1, got \(0.5, 0.1\)"),
        (lambda: RandomResizedCrop(ratio=(0.0, 1.0)), "RandomResizedCrop.ratio"),
        (lambda: RandomHorizontalFlip(p=1.5), "a probability, got 1.5"),
        (lambda: PadCrop(padding=-1), "PadCrop.padding"),
        (lambda: PadCrop(border="wrap"), "'reflect' or 'black'"),
        (lambda: PadCrop(padding=9).padded(IMAGE), "below 9 × 12 pixels, got 9"),
        (lambda: RandomAffine(scale=(0.0, 1.0)), "RandomAffine.scale"),
        (lambda: RandomAffine(degrees=400), "between 0 and 180"),
        (lambda: RandomAffine(shear=90), "RandomAffine.shear"),
        (lambda: RandomAffine(translate=2), "a share"),
        (lambda: Augmentation(transforms=(RandomHorizontalFlip(), RandomResizedCrop())), "must be first"),
        (lambda: augmentation.small(8, padding=8), "below the image size 8"),
    ],
)
def test_mistakes_are_named(make: Any, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        make()


def test_ready_made_lists() -> None:
    assert augmentation.none().transforms == ()
    assert augmentation.small((32, 32)).transforms == (PadCrop(padding=4), RandomHorizontalFlip())
    assert augmentation.small(8, padding=1, flip=False).transforms == (PadCrop(padding=1),)
    assert augmentation.photograph((224, 224)).view == RandomResizedCrop(scale=(0.08, 1.0))
    assert augmentation.photograph(128).view == RandomResizedCrop(scale=(0.35, 1.0))
    wide = augmentation.photograph(128, scale=(0.2, 1.0), flip=False)
    assert wide.transforms == (RandomResizedCrop(scale=(0.2, 1.0)),)
    assert augmentation.photograph(128, jitter=0.2).transforms[2].brightness == 0.2
    policy = augmentation.RandAugment()
    assert augmentation.photograph(policy=policy, jitter=0.1).transforms[1:3] == (RandomHorizontalFlip(), policy)
    assert augmentation.small(32).view is None
    assert dataclasses.is_dataclass(augmentation.small(32))
