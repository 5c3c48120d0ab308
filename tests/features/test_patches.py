"""Random-patch features: what a number means, and what it does not depend on."""

from __future__ import annotations

import os

import numpy as np
import pytest

from sightline.errors import DataError
from sightline.features import best_design, patches, random_patch_features
from sightline.features.patches import PATCH, SIDE, random_filters
from sightline.features.ridge import chosen_ridge
from tests.features.made import Pictures, pictures

ALL = np.ones


@pytest.fixture(autouse=True)
def _few_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "_PATCHES", 8000)


def test_one_number_by_hand() -> None:
    """The root of the mean, over the upper left cell, of what a response has above the threshold."""
    made = pictures(40)
    filters = random_filters(made, np.arange(40), 8)
    found = filters.responses(made.images[:3])
    assert found.shape == (3, filters.num_features)
    number, excess, lack = 5, [], []
    for top in range(14):
        for left in range(14):
            patch = made.images[1, top : top + PATCH, left : left + PATCH].astype(np.float64).ravel()
            patch -= patch.mean()
            patch /= np.sqrt(patch.var() + 10)
            response = patch @ filters.weights[:, number] - filters.offset[number]
            excess.append(max(response - filters.threshold, 0))
            lack.append(max(-response - filters.threshold, 0))
    by_sign = found[1].reshape(2, 4, 8)  # sign, cell, filter
    assert by_sign[0, 0, number] == pytest.approx(np.sqrt(np.mean(excess)), abs=2e-3)
    assert by_sign[1, 0, number] == pytest.approx(np.sqrt(np.mean(lack)), abs=2e-3)
    assert excess != lack


def test_filters_are_whitened() -> None:
    """Responses of unit variance for the average filter, and nothing that all patches share."""
    made = pictures(300)
    filters = random_filters(made, np.arange(300), 128)
    many = patches._normalised(patches._patches_of(made.images[:60]))
    responses = many @ filters.weights - filters.offset
    assert abs(responses.mean()) < 0.02
    shares = np.corrcoef(responses.T)
    plain = np.corrcoef((many @ many[::7][:128].T).T)
    assert np.abs(shares - np.eye(128)).mean() < 0.5 * np.abs(plain - np.eye(128)).mean()


def test_neither_threads_nor_blocks_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    made = pictures(150)
    whole = random_patch_features(made, ALL(150, bool), num_filters=40)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    monkeypatch.setattr(patches, "_READ", 17)
    again = random_patch_features(made, ALL(150, bool), num_filters=40)
    assert whole.dtype == np.float16
    assert np.abs(whole.astype(np.float32) - again).max() <= 2e-3 * whole.max()
    assert np.array_equal(random_patch_features(made, ALL(150, bool), num_filters=40), again)


def test_an_image_does_not_change_the_others() -> None:
    """Only usable images give patches, so a black one for an unreadable file changes nothing."""
    made = pictures(30)
    with_black = Pictures(np.concatenate([made.images, np.zeros((3, SIDE, SIDE, 3), np.uint8)]))
    usable = np.r_[ALL(30, bool), np.zeros(3, bool)]
    found = random_patch_features(with_black, usable, num_filters=32)
    assert np.array_equal(found[:30], random_patch_features(made, ALL(30, bool), num_filters=32))
    assert not found[30:].any()


def test_a_larger_thumbnail_is_its_average() -> None:
    made = pictures(20)
    large = Pictures(made.images.repeat(2, 1).repeat(2, 2))
    small = random_patch_features(made, ALL(20, bool), num_filters=32)
    assert np.array_equal(small, random_patch_features(large, ALL(20, bool), num_filters=32))


def test_half_of_the_features_are_those_of_the_mirrored_picture() -> None:
    made = pictures(12)
    both = Pictures(np.concatenate([made.images, made.images[:, :, ::-1]]))
    found = random_patch_features(both, ALL(24, bool), num_filters=32).astype(np.float32)
    half = found.shape[1] // 2
    assert np.abs(found[:12, :half] - found[12:, :half]).max() < 1e-3
    assert np.abs(found[:12, half:] + found[12:, half:]).max() < 1e-3
    assert np.abs(found[:, half:]).max() > 0.1


def test_flat_images_are_finite() -> None:
    flat = Pictures(np.full((8, SIDE, SIDE, 3), 128, np.uint8))
    assert np.isfinite(random_patch_features(flat, ALL(8, bool), num_filters=32)).all()


def test_what_cannot_be_done() -> None:
    with pytest.raises(DataError, match="No image can be read"):
        random_patch_features(pictures(3), np.zeros(3, bool))
    with pytest.raises(DataError, match="multiple of 32 pixels, got 40"):
        random_patch_features(Pictures(np.zeros((3, 40, 40, 3), np.uint8)), ALL(3, bool))


def test_digits_are_told_apart() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    images, labels = datasets.load_digits(return_X_y=True)
    grey = (images.reshape(-1, 8, 8).repeat(4, 1).repeat(4, 2) * 15).astype(np.uint8)
    few = Pictures(np.stack([grey] * 3, -1)[:400])
    found = random_patch_features(few, ALL(400, bool), num_filters=32)
    design = best_design(found, np.arange(400), labels[:400], 10, np.arange(400))
    assert design.features.strides[1] == 2 * found.strides[1], "digits are not to be mirrored"
    ridge, _ = chosen_ridge(design, labels[:400], 10, np.arange(400))
    held_out = ridge.held_out(labels[:400], 10, np.arange(400))
    assert (held_out.argmax(1) == labels[:400]).mean() > 0.93
