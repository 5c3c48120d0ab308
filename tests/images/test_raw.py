"""Layouts of arrays: each gives the pixels it stands for, and refuses other lengths."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.errors import DataError, DecodeError
from sightline.images.raw import pixels_of_raw

LEVELS = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
DEEP = np.random.default_rng(1).integers(0, 65536, (4, 5), dtype=np.uint16)


@pytest.mark.parametrize(
    ("layout", "stored", "wanted", "bits"),
    [
        ("u1:4,5,3", LEVELS, LEVELS, 8),
        ("u1:4,5", LEVELS[..., 0], LEVELS[..., :1], 8),
        ("u1:chw:3,4,5", LEVELS.transpose(2, 0, 1), LEVELS, 8),
        ("u1:wh:5,4,3", LEVELS.swapaxes(0, 1), LEVELS, 8),
        ("u1:bgr:3,4,5", LEVELS.transpose(2, 0, 1)[::-1], LEVELS, 8),
        ("u1/16:4,5", LEVELS[..., 0] // 16, ((LEVELS[..., :1] // 16).astype(int) * 255 + 8) // 16, 8),
        ("u2le:4,5", DEEP.astype("<u2"), DEEP[..., None], 16),
        ("u2be:4,5", DEEP.astype(">u2"), DEEP[..., None], 16),
        ("b1:4,5", LEVELS[..., 0] > 99, (LEVELS[..., :1] > 99) * 255, 8),
    ],
)
def test_layouts(layout: str, stored: np.ndarray, wanted: np.ndarray, bits: int) -> None:
    pixels = pixels_of_raw(np.ascontiguousarray(stored).tobytes(), layout)
    assert pixels.bits == bits
    assert pixels.values.dtype == (np.uint16 if bits == 16 else np.uint8)
    assert np.array_equal(pixels.values, wanted)
    with pytest.raises(DecodeError, match="wanted"):
        pixels_of_raw(stored.tobytes()[:-1], layout)


@pytest.mark.parametrize("layout", ["f4:4,5", "u1:hwc:4,5,3", "u1:chw:bgr:3,4,5"])
def test_unknown_layouts(layout: str) -> None:
    with pytest.raises(DataError, match="made by another version"):
        pixels_of_raw(b"", layout)
