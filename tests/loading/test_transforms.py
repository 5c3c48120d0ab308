"""Whole-batch transforms against their plain selves."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.augmentation import (
    TRANSFORMS,
    AlternatingFlip,
    AutoAugment,
    CenterCrop,
    ColorJitter,
    Custom,
    Grayscale,
    PadCrop,
    RandAugment,
    RandomAffine,
    RandomErasing,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
    Transform,
    TrivialAugment,
)
from sightline.loading import colours
from sightline.loading.transforms import BATCHED, applied, windows
from sightline.randomness import Draws


def noisy(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.clip(image + rng.normal(0, 9, image.shape), 0, 255).astype(image.dtype)


CASES: list[Transform] = [
    RandomHorizontalFlip(), AlternatingFlip(),
    PadCrop(padding=3), PadCrop(padding=2, border="black"), PadCrop(padding=0),
    ColorJitter(), ColorJitter(brightness=1, contrast=1, saturation=1), ColorJitter(hue=0.5), ColorJitter(saturation=0),
    Grayscale(p=0.5), RandAugment(), TrivialAugment(interpolation="bilinear", fill=7), AutoAugment(),
    Custom(function=noisy), RandomErasing(p=0.8), RandomErasing(p=0.8, value="random"),
    RandomAffine(), RandomAffine(degrees=180, scale=(0.3, 3), translate=0.5, shear=30),
]  # fmt: skip


def test_every_transform_has_a_fast_path_and_a_case() -> None:
    done_by_tiles = {RandomResizedCrop, Resize, CenterCrop}  # image by image: they change the size
    assert set(BATCHED) == set(TRANSFORMS) - done_by_tiles
    assert {type(c) for c in CASES} == set(BATCHED)


def material(
    transform: Transform, shape: tuple[int, int, int], dtype: type, n: int = 40
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    batch = rng.integers(0, 256, (n, *shape)).astype(dtype)
    draws = Draws(0, 0, rng.integers(0, 2**63, n).astype(np.uint64))
    return batch, transform.draw(draws, 0, np.tile(shape[:2], (n, 1)))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(8, 8, 1), (32, 32, 3), (17, 25, 3), (28, 20, 1)])
@pytest.mark.parametrize("transform", CASES, ids=repr)
def test_fast_and_plain_agree(transform: Transform, shape: tuple[int, int, int], dtype: type) -> None:
    batch, parameters = material(transform, shape, dtype)
    plain = applied(transform, batch.copy(), parameters, is_exact=True)
    fast = applied(transform, batch.copy(), parameters, is_exact=False)
    assert plain.shape == fast.shape == batch.shape
    assert plain.dtype == fast.dtype == dtype
    difference = np.abs(plain.astype(np.float64) - fast)
    if isinstance(transform, RandomAffine | ColorJitter):
        # float32: a level may round the other way, and a pixel at the very edge may weigh a little less
        assert difference.max() <= (1 if dtype == np.uint8 else 0.1)
        assert difference.mean() < 0.01
    else:
        assert difference.max() == 0
    does_nothing = (isinstance(transform, PadCrop) and transform.padding == 0) or (
        isinstance(transform, Grayscale) and shape[2] == 1
    )
    assert does_nothing == np.array_equal(plain, batch)


@pytest.mark.parametrize("transform", CASES, ids=repr)
def test_an_image_does_not_depend_on_its_company(transform: Transform, monkeypatch: pytest.MonkeyPatch) -> None:
    batch, parameters = material(transform, (24, 20, 3), np.float32 if transform.is_normalized else np.uint8)
    together = applied(transform, batch.copy(), parameters, is_exact=False)
    monkeypatch.setattr(colours, "PLANE_PIXELS", 3 * 24 * 20)
    for part in (slice(0, 1), slice(7, 12), slice(12, 40)):
        assert np.array_equal(applied(transform, batch[part].copy(), parameters[part], is_exact=False), together[part])


def test_windows_are_slices() -> None:
    store = np.random.default_rng(0).integers(0, 256, (5, 9, 12, 3), dtype=np.uint8)
    rows, offsets = np.array([4, 0, 4]), np.array([[0, 0], [3, 5], [2, 1]])
    got = windows(store, rows, offsets, (6, 7))
    for image, r, (top, left) in zip(got, rows, offsets, strict=True):
        assert np.array_equal(image, store[r, top : top + 6, left : left + 7])
    with pytest.raises(IndexError):
        windows(store, np.array([5]), offsets[:1], (6, 7))
    with pytest.raises(IndexError):
        windows(store, np.array([0]), np.array([[4, 0]]), (6, 7))
