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

from sightline.audits.oddities import BAR_STEP, BLURRED, FLAT_BLOCKS, SOFT
from sightline.images import Pixels
from sightline.images.upright import oriented
from sightline.inspection.measures import bars_of, blocks_of, sharpness_of
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


def moved(grey: Array, length: int, degrees: float) -> Array:
    """What a camera sees that moves so far while it looks."""
    padded = np.pad(grey.astype(np.float32), length, "reflect")
    height, width = grey.shape
    total, far = np.zeros((height, width)), np.linspace(-length / 2, length / 2, 4 * length)
    for t in far:
        down, right = (length + t * f(np.radians(degrees)) for f in (np.sin, np.cos))
        for y, more in ((int(down), 1 - down % 1), (int(down) + 1, down % 1)):
            for x, most in ((int(right), 1 - right % 1), (int(right) + 1, right % 1)):
                total += more * most * padded[y : y + height, x : x + width]
    return np.asarray((total / len(far)).round().astype(np.uint8))


@pytest.mark.parametrize("degrees", range(0, 180, 15))
def test_a_camera_that_moved_is_seen_whatever_its_way(degrees: int) -> None:
    sharp = grey_of(scene())
    assert sharpness_of(sharp) > SOFT
    assert sharpness_of(moved(sharp, 12, degrees)) < BLURRED


def test_a_way_of_whole_pixels_is_seen_in_the_half() -> None:
    sharp = grey_of(scene()).astype(int)
    jagged = sum(np.roll(sharp, (round(0.8 * t), t), (0, 1)) for t in range(-12, 13)) // 25
    assert sharpness_of(jagged.astype(np.uint8)) < BLURRED


def test_a_blur_is_as_much_whichever_its_direction() -> None:
    noise = np.random.default_rng(0).normal(127, 60, (500, 500)).clip(0, 255).astype(np.uint8)
    for sigma in (1.2, 1.6, 2.2):
        along = np.zeros((500, 500))
        diagonal = np.zeros((500, 500))
        for k in range(-12, 13):
            along += np.roll(noise, k, 1) * np.exp(-(k**2) / (2 * sigma**2))
            diagonal += np.roll(noise, (k, k), (0, 1)) * np.exp(-(k**2) / sigma**2)
        plain, slanted = (sharpness_of((v * (127 / v.mean())).astype(np.uint8)) for v in (along, diagonal))
        assert slanted == pytest.approx(plain, rel=0.25), sigma


@settings(max_examples=25, deadline=None)
@given(st.integers(12, 90), st.integers(12, 90), st.integers(0, 9), st.sampled_from([0.0, 1.0, 3.0]))
def test_sharpness_is_its_definition(height: int, width: int, seed: int, radius: float) -> None:
    grey = grey_of(Image.fromarray(picture(height, width, 3, seed)).filter(ImageFilter.GaussianBlur(radius)))
    assert sharpness_of(grey) == pytest.approx(plain_sharpness(grey), rel=1e-6, nan_ok=True)


def plain_sharpness(grey: Array) -> float:
    """In loops; of pictures whose tiles have contrast."""
    rows, columns = min(8, grey.shape[0] // 4), min(8, max((grey.shape[1] - 6) // 4, 1))
    height, width = grey.shape[0] // 4 // rows, (grey.shape[1] - 6) // columns
    levels, found = grey.astype(int), []
    for down, right in ((0, 1), (1, 1), (1, 0), (1, -1)):
        ratios = []
        for i in range(rows):
            for j in range(columns):
                near = far = 0
                for y in range(4 * height * i, 4 * height * (i + 1), 4):
                    for x in range(3 + width * j, 3 + width * (j + 1)):
                        near += abs(levels[y + down, x + right] - levels[y, x])
                        far += abs(levels[y + 3 * down, x + 3 * right] - levels[y, x])
                if near >= 1.5 * height * width:
                    ratios.append(far / (3 * near))
        if ratios:
            rest = 1 - sorted(ratios)[len(ratios) // 20]
            found.append(1.5 * rest if 0 in (down, right) else 1.5 * rest / (2 - 1.5 * rest))
    return max(min(found), 0) if found else float("nan")


def test_blocks_are_seen_wherever_the_grid_lies() -> None:
    image = scene(200, 200)
    gentle, coarse = (Image.open(io.BytesIO(encoded(image, "JPEG", quality=q))) for q in (92, 4))
    assert blocks_of(grey_of(image))[0] < 1.3
    assert blocks_of(grey_of(gentle))[0] < 1.3
    cut = coarse.crop((3, 5, 190, 180))
    assert blocks_of(grey_of(coarse))[0] > 2
    assert blocks_of(grey_of(cut))[0] > 2


@pytest.mark.parametrize(("side", "is_seen"), [(16, True), (8, False), (14, False), (18, False), (24, False)])
def test_flat_blocks_are_those_of_sixteen(side: int, is_seen: bool) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 480), dtype=np.uint8)
    y, x = (np.arange(n) % side for n in noise.shape)
    inside = ((y > 2) & (y < side - 3))[:, None] & ((x > 2) & (x < side - 3))
    flat = np.where(inside, np.uint8(90), noise)
    assert (blocks_of(flat)[1] > FLAT_BLOCKS) == is_seen
    assert (blocks_of(flat[5:, 11:])[1] > FLAT_BLOCKS) == is_seen
    only_down = np.where(((y > 2) & (y < side - 3))[:, None], np.uint8(90), noise)
    assert blocks_of(only_down)[1] < FLAT_BLOCKS
    sky = np.where((np.arange(400) < 250)[:, None], np.uint8(200), noise)
    assert abs(blocks_of(sky)[1]) < FLAT_BLOCKS / 2
    assert np.isnan(blocks_of(flat[:127])).all()


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
