"""The operations that policies choose from, at the magnitudes of torchvision: 8-bit levels by Pillow, bit for bit.

Float levels get the same arithmetic without the rounding to whole levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
from PIL import Image, ImageEnhance

from sightline.augmentation.colour import grey_of
from sightline.augmentation.framing import RESAMPLING
from sightline.augmentation.transform import Array

OPERATIONS = (
    "Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color", "Contrast",
    "Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize", "Invert",
)  # fmt: skip
"""Magnitudes: slope of a shear, pixels, degrees counter-clockwise, a factor less 1, bits kept, share of full white;
the rest have none."""
GEOMETRIC = OPERATIONS[1:6]
SIGNED = OPERATIONS[1:10]
"""Operations whose magnitude is negated half of the time."""


def operated(levels: Array, steps: Iterable[tuple[str, float]], interpolation: str, fill: tuple[int, ...]) -> Array:
    """The image after operations with their magnitudes; what comes in from outside is `fill`, one level a channel."""
    if levels.dtype == np.uint8:
        image = Image.fromarray(np.ascontiguousarray(levels[:, :, 0] if levels.shape[2] == 1 else levels))
        for operation, magnitude in steps:
            image = _on_image(image, operation, magnitude, interpolation, fill)
        return np.asarray(image).reshape(levels.shape)
    for operation, magnitude in steps:
        levels = _on_floats(levels, operation, magnitude, interpolation, fill)
    return levels


def _on_image(
    image: Image.Image, operation: str, magnitude: float, interpolation: str, fill: tuple[int, ...]
) -> Image.Image:
    if operation in GEOMETRIC:
        return _moved(image, operation, magnitude, interpolation, fill if image.mode == "RGB" else fill[0])
    if operation in _ENHANCED:
        return _ENHANCED[operation](image).enhance(1 + magnitude)
    if operation in _TABLES:
        return image.point(_TABLES[operation](magnitude).tolist() * len(image.getbands()))
    if operation in _ADAPTED:
        counts = np.array(image.histogram()).reshape(-1, 256)
        return image.point([level for channel in counts for level in _ADAPTED[operation](channel).tolist()])
    return image


def _moved(
    image: Image.Image, operation: str, magnitude: float, interpolation: str, fill: float | tuple[int, ...]
) -> Image.Image:
    method = RESAMPLING[interpolation]
    if operation == "Rotate":
        return image.rotate(magnitude, method, fillcolor=fill)
    a, b, x = 1.0, 0.0, 0.0  # from output to input: a·x + b·y + x
    c, d, y = 0.0, 1.0, 0.0
    if operation == "ShearX":
        b = magnitude
    elif operation == "ShearY":
        c = magnitude
    elif operation == "TranslateX":
        x = -float(int(magnitude))
    else:
        y = -float(int(magnitude))
    return image.transform(image.size, Image.Transform.AFFINE, (a, b, x, c, d, y), method, fillcolor=fill)


_ENHANCED: dict[str, Callable[[Image.Image], ImageEnhance._Enhance]] = {
    "Brightness": ImageEnhance.Brightness, "Color": ImageEnhance.Color, "Contrast": ImageEnhance.Contrast,
    "Sharpness": ImageEnhance.Sharpness,
}  # fmt: skip

_LEVELS = np.arange(256)
_TABLES: dict[str, Callable[[float], Array]] = {
    "Posterize": lambda bits: _LEVELS & -(1 << (8 - int(bits))),
    "Solarize": lambda share: np.where(255.0 * share > _LEVELS, _LEVELS, 255 - _LEVELS),
    "Invert": lambda _: 255 - _LEVELS,
}


# Pillow's own walk through 768 levels in Python, which takes longer than the pixels and holds the interpreter's lock.
def _stretched(counts: Array) -> Array:
    """Table that maps the darkest level to 0 and the brightest to 255."""
    present = np.flatnonzero(counts)
    low, high = int(present[0]), int(present[-1])
    if high <= low:
        return _LEVELS
    scale = 255.0 / (high - low)
    return np.clip((_LEVELS * scale + -low * scale).astype(np.int64), 0, 255)


def _equalized(counts: Array) -> Array:
    """Table that makes the levels about equally frequent."""
    present = np.flatnonzero(counts)
    step = int(counts.sum() - counts[present[-1]]) // 255
    if len(present) <= 1 or not step:
        return _LEVELS
    before = np.cumsum(counts) - counts
    return np.asarray(np.minimum((step // 2 + before) // step, 255))


_ADAPTED: dict[str, Callable[[Array], Array]] = {"AutoContrast": _stretched, "Equalize": _equalized}


def _on_floats(
    levels: Array, operation: str, magnitude: float, interpolation: str, fill: tuple[int, ...]
) -> Array:
    if operation in GEOMETRIC:
        planes = [
            _moved(Image.fromarray(np.ascontiguousarray(levels[..., c])), operation, magnitude, interpolation, f)
            for c, f in zip(range(levels.shape[2]), fill, strict=False)
        ]
        return np.asarray(np.clip(np.stack([np.asarray(p) for p in planes], axis=2), 0, 255))
    if operation in _ENHANCED:
        plain = _degenerate(levels, operation)
        return np.clip(plain + (1 + magnitude) * (levels - plain), 0, 255).astype(levels.dtype)
    if operation == "Posterize":
        step = 1 << (8 - int(magnitude))
        return np.asarray(np.floor(levels / step) * np.float32(step))
    if operation == "Solarize":
        return np.where(levels < np.float64(255.0 * magnitude), levels, 255 - levels)  # not rounded to float32
    if operation == "Invert":
        return 255 - levels
    if operation == "AutoContrast":
        low, high = levels.min(axis=(0, 1)), levels.max(axis=(0, 1))
        scale = np.where(high > low, 255 / np.where(high > low, high - low, 1), 1).astype(levels.dtype)
        return np.asarray(np.clip((levels - np.where(high > low, low, 0)) * scale, 0, 255))
    if operation == "Equalize":
        whole = np.rint(levels).astype(np.uint8)
        tables = [_equalized(np.bincount(whole[..., c].ravel(), minlength=256)) for c in range(levels.shape[2])]
        between = [np.interp(levels[..., c], _LEVELS, table) for c, table in enumerate(tables)]
        return np.stack(between, axis=2).astype(levels.dtype)
    return levels


def _degenerate(levels: Array, operation: str) -> Array:
    """What a factor of 0 leaves of the image."""
    if operation == "Brightness":
        return np.zeros_like(levels)
    if operation == "Color":
        return grey_of(levels)[..., None]
    if operation == "Contrast":
        return np.full_like(levels, math.floor(float(grey_of(levels).mean(dtype=np.float64)) + 0.5))
    out = levels.copy()  # a border of one pixel has no eight neighbours, and stays
    if min(levels.shape[:2]) >= 3:
        weights = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13
        views = np.lib.stride_tricks.sliding_window_view(levels, (3, 3), axis=(0, 1))
        out[1:-1, 1:-1] = np.einsum("yxcij,ij->yxc", views, weights)
    return out
