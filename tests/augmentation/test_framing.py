"""Resize and CenterCrop are torchvision's on Pillow images, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import InterpolationMode, v2

from sightline.augmentation import CenterCrop, Resize, Transform
from sightline.errors import RecipeError
from tests.augmentation.material import Array, photo

MODES = {
    "nearest": InterpolationMode.NEAREST, "bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC,
    "lanczos": InterpolationMode.LANCZOS,
}  # fmt: skip
SIDES = st.integers(1, 60)
SIZES = st.one_of(SIDES, st.tuples(SIDES, SIDES))


def image_of(levels: Array) -> Image.Image:
    return Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels)


def applied(transform: Transform, levels: Array) -> Array:
    return transform.apply(levels, np.empty(0))


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, SIZES, st.sampled_from(sorted(MODES)), st.sampled_from([1, 3]))
def test_resize_is_torchvisions(
    height: int, width: int, size: int | tuple[int, int], interpolation: str, channels: int
) -> None:
    levels = photo(height, width)[..., :channels]
    ours = applied(Resize(size=size, interpolation=interpolation), levels)
    theirs = v2.Resize(size if isinstance(size, int) else list(size), MODES[interpolation])(image_of(levels))
    assert np.array_equal(ours.reshape(ours.shape[0], ours.shape[1], -1), np.asarray(theirs).reshape(ours.shape))
    assert ours.shape[:2] == Resize(size=size).shape(height, width)
    floats = applied(Resize(size=size, interpolation=interpolation), levels.astype(np.float32))
    assert floats.dtype == np.float32
    if interpolation in ("nearest", "bilinear"):  # the others overshoot, and whole levels are clipped on the way
        assert np.abs(floats - ours).max() <= 1.01


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, SIZES, st.sampled_from([1, 3]))
def test_center_crop_is_torchvisions(height: int, width: int, size: int | tuple[int, int], channels: int) -> None:
    levels = photo(height, width)[..., :channels]
    crop = CenterCrop(size=size)
    ours = applied(crop, levels)
    theirs = np.asarray(v2.CenterCrop(size if isinstance(size, int) else list(size))(image_of(levels)))
    assert np.array_equal(ours, theirs.reshape(ours.shape))
    top, left = crop.place(height, width)
    if ours.shape[0] <= height and ours.shape[1] <= width:
        assert np.array_equal(ours, levels[top : top + ours.shape[0], left : left + ours.shape[1]])


def test_an_image_of_the_size_is_not_touched() -> None:
    levels = photo(20, 30)
    assert applied(Resize(size=20), levels) is levels
    assert np.array_equal(applied(CenterCrop(size=(20, 30)), levels), levels)


@pytest.mark.parametrize("kind", [Resize, CenterCrop])
@pytest.mark.parametrize("size", [0, -3, (4,), (4, 0), 2.5, True, "9", (4, 4, 4)])
def test_a_size_is_whole_pixels(kind: type, size: object) -> None:
    with pytest.raises(RecipeError, match=rf"{kind.__name__}.size must be pixels of .*got"):
        kind(size=size)


def test_interpolations_are_named() -> None:
    with pytest.raises(RecipeError, match="lanczos, got 'area'"):
        Resize(size=3, interpolation="area")
