"""JPEGs of many kinds, for the tests of recoding and of bands."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image

from tests.sources import encoded

Array = np.ndarray[Any, Any]


def photo(height: int, width: int, channels: int = 3, seed: int = 0) -> Array:
    """Pixels with coarse blobs, slanted edges and some noise: neighbours differ, and every frequency occurs."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 9 + 2, width // 9 + 2, channels), dtype=np.uint8)
    planes = [
        Image.fromarray(coarse[:, :, c]).resize((width, height), Image.Resampling.BICUBIC) for c in range(channels)
    ]
    values = np.stack([np.asarray(plane) for plane in planes], axis=2).astype(np.int64)
    values += rng.integers(-20, 21, values.shape)
    values[np.add.outer(np.arange(height), np.arange(width)) % 23 < 3] += 90
    levels = values.clip(0, 255).astype(np.uint8)
    return levels[:, :, 0] if channels == 1 else levels


def _pillow(**options: Any) -> Callable[[Array], bytes]:
    return lambda levels: encoded(Image.fromarray(levels), "JPEG", **options)


def _simple(sampling: str) -> Callable[[Array], bytes]:
    return lambda levels: simplejpeg.encode_jpeg(np.ascontiguousarray(levels), quality=88, colorsubsampling=sampling)


def _grey(write: Callable[[Array], bytes]) -> Callable[[Array], bytes]:
    return lambda levels: write(np.ascontiguousarray(levels[:, :, 1]))


ENCODERS: Mapping[str, Callable[[Array], bytes]] = {
    "444": _simple("444"),
    "422": _simple("422"),
    "420": _simple("420"),
    "440": _simple("440"),
    "411": _simple("411"),
    "grey": _grey(_pillow(quality=85)),
    "grey optimized": _grey(_pillow(quality=85, optimize=True)),
    "420 optimized": _pillow(quality=75, subsampling=2, optimize=True),
    "coarse": _pillow(quality=5),
    "finest": _pillow(quality=100, subsampling=0),
    "RGB": _pillow(quality=90, keep_rgb=True),
    "restarts in rows": _pillow(quality=90, subsampling=2, restart_marker_rows=1),
    "restarts in blocks": _pillow(quality=90, subsampling=2, restart_marker_blocks=3),
    "wide quantization": _pillow(qtables=[[300] * 64, [1] * 64], subsampling=1),
}
"""RGB pixels to a JPEG."""


def pixels_of(data: bytes) -> Array:
    """Pixels as Pillow decodes them."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)
