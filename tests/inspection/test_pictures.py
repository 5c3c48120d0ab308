"""Measures of pictures: against plain numpy, on pictures whose values are known, and blind to what does not matter."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from sightline.audits.oddities import BAR_STEP
from sightline.images import Pixels
from sightline.images.upright import oriented
from sightline.inspection.measures import bars_of, blockiness_of, sharpness_of
from sightline.inspection.pictures import columns_of, picture_of, pixel_sums
from sightline.samples import pixel_sums_of
from tests.sources import encoded, picture

Array = np.ndarray[Any, Any]


def measured(values: Array, bits: int = 8, orientation: int = 1, side: int = 32) -> dict[str, Any]:
    values = values[:, :, None] if values.ndim == 2 else values
    columns = columns_of([picture_of(Pixels(values, bits, orientation), side)])
    return {name: column[0] for name, column in columns.items()}


def scene(height: int = 180, width: int = 240, seed: int = 0) -> Image.Image:
    """Shapes and texture at many scales, as photographs have them."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for size in (3, 6, 12, 25, 50, 100, 200):
        coarse = Image.fromarray(rng.integers(0, 256, (size, size, 3), dtype=np.uint8))
        total += np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float32) - 127
    return Image.fromarray(np.clip(127 + 0.6 * total, 0, 255).astype(np.uint8))


def grey_of(image: Image.Image) -> Array:
    return np.asarray(image.convert("L"))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]), st.integers(0, 9))
def test_levels_are_those_of_numpy(height: int, width: int, channels: int, seed: int) -> None:
    values = picture(height, width, channels, seed).reshape(height, width, channels)
    got = measured(values)
    grey = values[..., 0] if channels == 1 else grey_of(Image.fromarray(values))
    assert got["luminance_mean"] == pytest.approx(grey.mean() / 255, abs=0.003)
    assert got["luminance_std"] == pytest.approx(grey.std() / 255, abs=0.003)
    for p in (1, 5, 50, 95, 99):
        exact = np.percentile(grey, p, method="inverted_cdf") / 255
        assert got[f"luminance_p{p}"] == pytest.approx(exact, abs=0.006)
    assert 0 <= got["entropy"] <= 8


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 2, 3, 4]), st.booleans())
def test_quick_sums_are_the_sums(height: int, width: int, channels: int, is_deep: bool) -> None:
    values = picture(height, width * channels, 1).reshape(height, width, channels)
    values = values.astype(np.uint16) * 257 if is_deep and channels == 1 else values
    pixels = Pixels(values, 16 if values.dtype == np.uint16 else 8)
    assert pixel_sums(pixels) == pixel_sums_of(pixels)


def test_quick_sums_of_many_bright_pixels_are_exact() -> None:
    # 2³¹ is passed by the squares of 33,026 white pixels, 2²⁴ by their count here.
    pixels = Pixels(np.full((4100, 4101, 1), 255, np.uint8), 8)
    count = 4100 * 4101
    assert pixel_sums(pixels) == {"num_pixels": count, "sums": [255 * count], "squares": [255**2 * count]}


def test_known_pictures() -> None:
    half = np.zeros((64, 64, 3), np.uint8)
    half[:, 32:] = (255, 0, 0)
    got = measured(half)
    assert (got["red"], got["green"], got["blue"]) == (0.5, 0, 0)
    assert got["saturation"] == 0.5
    assert got["chroma_max"] == 1
    assert got["entropy"] == 1
    assert got["colour_std"] == 0.5
    np.testing.assert_allclose(got["corners"], [0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0])
    np.testing.assert_allclose(got["border"], [0.5, 0, 0])
    white = measured(np.full((50, 70), 255, np.uint8))
    assert (white["luminance_p1"], white["luminance_std"], white["entropy"], white["chroma_max"]) == (1, 0, 0, 0)
    assert np.isnan(white["sharpness"])


def test_sixteen_bits_are_shares_of_full_scale_and_their_thumbnail_is_stretched() -> None:
    values = np.linspace(0, 4095, 64 * 64).astype(np.uint16).reshape(64, 64)
    got = measured(values, bits=16)
    assert got["luminance_p50"] == pytest.approx(2047.5 / 65535, rel=0.01)
    thumbnail = picture_of(Pixels(values[:, :, None], 16), 32).thumbnail
    assert thumbnail.min() <= 6
    assert thumbnail.max() >= 249


def test_transparency_shows_white() -> None:
    values = np.zeros((32, 32, 4), np.uint8)
    values[16:, :, 3] = 255
    got = measured(values)
    assert got["transparent_share"] == 0.5
    assert got["luminance_mean"] == 0.5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_is_seen_is_upright(orientation: int) -> None:
    values = np.asarray(scene(90, 120))
    values = values.copy()
    values[:20] = 0
    values[-10:] = 0
    upright = np.ascontiguousarray(oriented(values, orientation))
    turned = picture_of(Pixels(values, 8, orientation), 32)
    plain = picture_of(Pixels(upright, 8), 32)
    np.testing.assert_array_equal(turned.thumbnail, plain.thumbnail)
    assert turned.bars == plain.bars
    assert turned.bars_step == plain.bars_step > 0.5


def test_a_thumbnail_is_the_mean_of_what_it_covers() -> None:
    values = picture(96, 160, seed=3)
    expected = values.reshape(32, 3, 32, 5, 3).mean((1, 3))
    assert np.abs(picture_of(Pixels(values, 8), 32).thumbnail - expected).max() <= 1


def test_blur_lowers_sharpness_whatever_the_size_and_contrast() -> None:
    for height, width in ((180, 240), (700, 900)):
        sharp = scene(height, width)
        radii = [r * max(height, width) / 512 for r in (0, 1, 2, 4)]
        values = [sharpness_of(grey_of(sharp.filter(ImageFilter.GaussianBlur(r)))) for r in radii]
        assert all(a > b for a, b in pairwise(values)), values
    faint = sharp.point(lambda v: 100 + v * 0.3)
    assert sharpness_of(grey_of(faint)) == pytest.approx(sharpness_of(grey_of(sharp)), abs=0.1)


def test_a_blurred_ground_is_no_blurred_picture() -> None:
    whole = scene(400, 400)
    soft = whole.filter(ImageFilter.GaussianBlur(8))
    portrait = soft.copy()
    portrait.paste(whole.crop((130, 130, 270, 270)), (130, 130))
    assert sharpness_of(grey_of(portrait)) > 2 * sharpness_of(grey_of(soft))


def test_blocks_are_seen_wherever_the_grid_lies() -> None:
    image = scene(200, 200)
    gentle, coarse = (Image.open(io.BytesIO(encoded(image, "JPEG", quality=q))) for q in (92, 4))
    assert blockiness_of(grey_of(image)) < 1.3
    assert blockiness_of(grey_of(gentle)) < 1.3
    cut = coarse.crop((3, 5, 190, 180))
    assert blockiness_of(grey_of(coarse)) > 2
    assert blockiness_of(grey_of(cut)) > 2


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.sampled_from([0, 90, 255]))
def test_bars_are_counted(top: int, bottom: int, left: int, right: int, level: int) -> None:
    # Noise of two far levels: no line of it is uniform, and every line differs from the bar.
    inside = np.random.default_rng(0).choice([30, 200], (40, 50)).astype(np.uint8)
    grey = np.pad(inside, ((top, bottom), (left, right)), constant_values=level)
    found, step = bars_of(grey)
    assert found == (top, bottom, left, right)
    has_pair = (top and bottom) or (left and right)
    assert (step > 0.3) == bool(has_pair)


def test_the_ground_of_a_thing_ends_gradually() -> None:
    grey = np.full((100, 100), 250, np.uint8)
    y, x = np.mgrid[:100, :100]
    grey[(y - 49.5) ** 2 + (x - 49.5) ** 2 < 35**2] = 60
    assert bars_of(grey)[0] == (15, 15, 15, 15)
    assert bars_of(grey)[1] < BAR_STEP


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (70_000, 1), (5, 70_000), (23, 24), (12, 12), (13, 800)])
def test_every_shape_has_measures(shape: tuple[int, int]) -> None:
    got = measured(picture(*shape, channels=3), side=64)
    assert np.isfinite(got["luminance_mean"])
    assert got["corners"].shape == (12,)
