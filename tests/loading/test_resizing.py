"""torch's resize against Pillow's."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sightline.loading.resizing import framed, resized
from sightline.preprocessing import Preprocessing, reference

CONTRACT = Preprocessing(size=(64, 48), mean=(0.5,) * 3, std=(0.5,) * 3, resize_to=70)


def photo(height: int, width: int, channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(height * width)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))[:, :, :channels]  # read-only


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(300, 401), (201, 133), (64, 48), (20, 31), (70, 500)])
def test_within_two_levels_of_pillow(shape: tuple[int, int], channels: int, interpolation: str) -> None:
    contract = dataclasses.replace(
        CONTRACT, interpolation=interpolation, color_mode="RGB" if channels == 3 else "L", mean=(0.5,) * channels,
        std=(0.5,) * channels,
    )  # fmt: skip
    image = photo(*shape, channels)
    fast, exact = framed(image, contract), contract.framed(np.ascontiguousarray(image))
    assert fast.dtype == exact.dtype == np.uint8
    difference = np.abs(fast.astype(int) - exact)
    assert difference.max() <= 2
    assert difference.mean() < 0.25


@pytest.mark.skipif(int(Image.__version__.partition(".")[0]) < 13, reason="Pillow before 13 always goes along the rows")
@settings(max_examples=60, deadline=None)
@given(height=st.integers(30, 260), width=st.integers(30, 260), to=st.tuples(st.integers(24, 96), st.integers(24, 96)))
def test_passes_are_taken_in_pillows_order(height: int, width: int, to: tuple[int, int]) -> None:
    """Black and white overshoot in each pass, and are clipped after it: another order is up to 60 levels away."""
    coarse = np.random.default_rng(height * width).integers(0, 2, (height // 3 + 1, width // 3 + 1, 3)) * 255
    image = np.kron(coarse, np.ones((3, 3, 1)))[:height, :width].astype(np.uint8)
    contract = dataclasses.replace(CONTRACT, interpolation="bicubic")
    exact = reference.resized(image, *to, "bicubic", True)
    assert np.abs(resized(image, *to, contract).astype(int) - exact).max() <= 2


@pytest.mark.parametrize("interpolation", ["nearest", "lanczos"])
def test_what_torch_lacks_is_done_by_pillow(interpolation: str) -> None:
    contract = dataclasses.replace(CONTRACT, interpolation=interpolation)
    image = photo(100, 90)
    assert np.array_equal(framed(image, contract), contract.framed(np.ascontiguousarray(image)))


def test_without_antialias_it_is_the_reference() -> None:
    contract = dataclasses.replace(CONTRACT, antialias=False)
    image = photo(300, 290)
    assert np.array_equal(framed(image, contract), contract.framed(np.ascontiguousarray(image)))


def test_float_levels_stay_in_range() -> None:
    checks = np.kron(np.indices((8, 8)).sum(axis=0) % 2, np.ones((9, 9)))[:, :, None] * np.float32(255)
    contract = Preprocessing(
        size=(50, 50), mean=(0.5,), std=(0.5,), color_mode="L", bits=(16,), resize_to=50, interpolation="bicubic"
    )
    out = resized(checks.astype(np.float32), 50, 50, contract)
    assert out.dtype == np.float32
    assert out.min() >= 0
    assert out.max() <= 255
    assert np.abs(out - contract.framed(checks.astype(np.float32))).max() < 0.5


def test_a_crop_of_an_image_is_resized_like_its_copy() -> None:
    part = photo(200, 200)[20:150, 30:90]
    assert np.array_equal(resized(part, 64, 48, CONTRACT), resized(part.copy(), 64, 48, CONTRACT))
    assert resized(part, 64, 48, CONTRACT).flags.c_contiguous
