"""Each step of the reference, against Pillow and by hand."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from sightline.images import Pixels, decode
from sightline.preprocessing import Preprocessing, reference

IMAGE = np.random.default_rng(0).integers(0, 256, (13, 17, 3), dtype=np.uint8)
SQUARE: dict[str, Any] = {"size": (8, 8), "mean": (0.5,) * 3, "std": (0.5,) * 3, "resize_to": 8}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_what_pillow_does(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(IMAGE).save(file, "PNG", exif=exif)
    pixels = decode(file.getvalue())
    assert pixels.orientation == orientation
    with Image.open(file) as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    contract = Preprocessing(**SQUARE)
    assert np.array_equal(contract.levels(pixels), upright)
    ignoring = Preprocessing(**SQUARE, orientation="ignore")
    assert np.array_equal(ignoring.levels(pixels), IMAGE)


def test_transparency_lies_over_the_ground_or_is_dropped() -> None:
    values = np.array([[[10, 20, 30, 0], [10, 20, 30, 255], [10, 20, 30, 51]]], np.uint8)
    white = reference.without_alpha(values, "white")
    assert white.tolist() == [[[255, 255, 255], [10, 20, 30], [206, 208, 210]]]
    assert reference.without_alpha(values, "black").tolist() == [[[0, 0, 0], [10, 20, 30], [2, 4, 6]]]
    assert reference.without_alpha(values, "drop").tolist() == [[[10, 20, 30]] * 3]
    grey = np.array([[[100, 0], [100, 255]]], np.uint8)
    assert reference.without_alpha(grey, "white").tolist() == [[[255], [100]]]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_transparency_is_within_half_a_level_of_the_exact_mixture(seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 256, (5, 5, 4), dtype=np.uint8)
    share = values[..., 3:] / 255
    exact = values[..., :3] * share + 255 * (1 - share)
    assert np.abs(reference.without_alpha(values, "white") - exact).max() <= 0.5 + 1e-9


def test_colour_modes() -> None:
    grey = np.asarray(Image.fromarray(IMAGE).convert("L"))[:, :, None]
    assert np.array_equal(reference.in_colour_mode(IMAGE, "L"), grey)
    assert np.array_equal(reference.in_colour_mode(grey, "RGB"), np.repeat(grey, 3, axis=2))
    assert np.array_equal(reference.in_colour_mode(IMAGE, "RGB"), IMAGE)
    assert np.abs(reference.in_colour_mode(IMAGE.astype(np.float32), "L") - grey).max() <= 0.51


def test_sixteen_bits_are_scaled_by_their_own_depth() -> None:
    deep = np.array([[[0], [257], [32896], [65535]]], np.uint16)
    levels = reference.levels_of(Pixels(deep, 16))
    assert levels.dtype == np.float32
    assert levels.ravel().tolist() == [0, 1, 128, 255]
    contract = Preprocessing(
        size=(1, 4), mean=(0.0,), std=(1.0,), color_mode="L", bits=(8, 16), resize="none", crop="none"
    )  # fmt: skip
    eight = contract(Pixels((deep // 257).astype(np.uint8), 8))
    assert np.array_equal(contract(Pixels(deep, 16)), eight)
    assert eight.ravel().tolist() == pytest.approx([0, 1 / 255, 128 / 255, 1])


def test_sixteen_bits_keep_what_eight_would_lose() -> None:
    deep = np.tile(np.linspace(1000, 1200, 64, dtype=np.uint16)[None, :, None], (64, 1, 1))
    contract = Preprocessing(size=(32, 32), mean=(0.0,), std=(1.0,), color_mode="L", bits=(16,), resize_to=32)
    out = contract.pixels(Pixels(deep, 16))
    assert out.dtype == np.float32
    assert len(np.unique(out)) > 20


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("channels", [1, 3])
def test_float_levels_are_resized_like_bytes(interpolation: str, channels: int) -> None:
    coarse = Image.fromarray(np.random.default_rng(1).integers(60, 200, (6, 6, 3), dtype=np.uint8))
    image = np.ascontiguousarray(np.asarray(coarse.resize((31, 40), Image.Resampling.BICUBIC))[:, :, :channels])
    as_bytes = reference.resized(image, 12, 50, interpolation, True)
    as_floats = reference.resized(image.astype(np.float32), 12, 50, interpolation, True)
    assert as_bytes.shape == as_floats.shape == (12, 50, channels)
    assert np.abs(as_bytes - as_floats).max() <= 1.5  # Pillow rounds bytes twice
    assert 0 <= as_floats.min() <= as_floats.max() <= 255


def test_without_antialias_points_are_read() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    blurred = reference.resized(stripes, 8, 8, "bilinear", True)
    aliased = reference.resized(stripes, 8, 8, "bilinear", False)
    assert blurred.std() < 3
    ramp = np.arange(64, dtype=np.uint8)[None, :, None].repeat(64, 0).repeat(3, 2)
    assert np.abs(reference.resized(ramp, 16, 16, "bilinear", False)[0, :, 0] - np.arange(1.5, 64, 4)).max() <= 0.5
    assert not np.array_equal(blurred, aliased)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 60), width=st.integers(1, 60),
    resize=st.sampled_from(["shortest", "squash", "cover", "contain"]),
    to=st.integers(1, 40), size=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    crop=st.sampled_from(["center", "center-floor"]),
)  # fmt: skip
def test_every_image_leaves_with_the_size_of_the_contract(
    height: int, width: int, resize: str, to: int, size: tuple[int, int], crop: str
) -> None:
    edges = to if resize == "shortest" else (to, to + 3)
    facts = {"resize": resize, "resize_to": edges, "crop": crop, "padding": "mean"}
    contract = Preprocessing(size=size, mean=(0.5,) * 3, std=(0.5,) * 3, **facts)
    levels = np.full((height, width, 3), 200, np.uint8)
    out = contract.framed(levels)
    assert out.shape == (*size, 3)
    assert set(np.unique(out)) <= {200, 128}  # the image or its ground, nothing else
    g = contract.geometry(height, width)
    inside = max(min(g.height, size[0]), 0) * max(min(g.width, size[1]), 0)
    assert (out[..., 0] == 200).sum() == inside


def test_a_window_shows_the_ground_outside() -> None:
    image = np.arange(1, 7, dtype=np.uint8).reshape(2, 3, 1)
    assert reference.window(image, -1, -1, (4, 4), (9,))[:, :, 0].tolist() == [
        [9, 9, 9, 9], [9, 1, 2, 3], [9, 4, 5, 6], [9, 9, 9, 9],
    ]  # fmt: skip
    assert reference.window(image, 0, 1, (2, 2), (9,))[:, :, 0].tolist() == [[2, 3], [5, 6]]


def test_normalization_in_its_order() -> None:
    contract = Preprocessing(size=(1, 1), mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6), resize_to=1)
    got = contract.normalized(np.array([[[255, 51, 0]]], np.uint8))
    assert got.ravel().tolist() == pytest.approx([0.9 / 0.4, 0.0, -0.5], abs=1e-6)
