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
ENHANCED = OPERATIONS[6:10]
SIGNED = OPERATIONS[1:10]
"""Operations whose magnitude is negated half of the time."""


Held = Array | Image.Image
"""8-bit levels between two operations, as the last one left them."""


def operated(levels: Array, steps: Iterable[tuple[str, float]], interpolation: str, fill: tuple[int, ...]) -> Array:
    """The image after operations with their magnitudes; what comes in from outside is `fill`, one level a channel."""
    if levels.dtype != np.uint8:
        for operation, magnitude in steps:
            levels = _on_floats(levels, operation, magnitude, interpolation, fill)
        return levels
    held: Held = levels
    for operation, magnitude in steps:
        if operation in GEOMETRIC:
            image = _image(held)
            held = _moved(image, operation, magnitude, interpolation, fill if image.mode == "RGB" else fill[0])
        else:
            held = _ON_LEVELS[operation](held, magnitude)
    return _array(held)


def _image(held: Held) -> Image.Image:
    if isinstance(held, Image.Image):
        return held
    return Image.fromarray(np.ascontiguousarray(held[:, :, 0] if held.shape[2] == 1 else held))


def _array(held: Held) -> Array:
    if not isinstance(held, Image.Image):
        return held
    return np.asarray(held).reshape(held.height, held.width, -1)


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


# numpy where it is faster and the result the same: 4 … 60 µs at 224 px against Pillow's 110, Sharpness 400 against 990.
def _brightened(held: Held, magnitude: float) -> Held:
    values = _array(held).astype(np.float32)
    values *= np.float32(1 + magnitude)
    return np.clip(values, 0, 255, out=values).astype(np.uint8)


def _coloured(held: Held, magnitude: float) -> Held:
    return ImageEnhance.Color(_image(held)).enhance(1 + magnitude)


def _contrasted(held: Held, magnitude: float) -> Held:
    return ImageEnhance.Contrast(_image(held)).enhance(1 + magnitude)


def _sharpened(held: Held, magnitude: float) -> Held:
    return Image.blend(_image(_smooth(_array(held))), _image(held), 1 + magnitude)


def _smooth(levels: Array) -> Array:
    """A pixel five times and its eight neighbours once, over 13; the border, which lacks neighbours, as it is."""
    if min(levels.shape[:2]) < 3:
        return levels
    wide = levels.astype(np.uint16 if levels.dtype == np.uint8 else levels.dtype)
    columns = wide[:-2] + wide[1:-1] + wide[2:]
    sums = columns[:, :-2] + columns[:, 1:-1] + columns[:, 2:] + 4 * wide[1:-1, 1:-1]
    out = levels.copy()
    # Never halfway between two levels: no thirteenth is a half.
    out[1:-1, 1:-1] = sums * np.float32(1 / 13) + np.float32(0.5 if levels.dtype == np.uint8 else 0)
    return out


def _posterized(held: Held, magnitude: float) -> Held:
    return _array(held) & np.uint8(256 - (1 << (8 - int(magnitude))))


def _solarized(held: Held, magnitude: float) -> Held:
    levels = _array(held)
    # 255 - level is the level with every bit turned; a whole threshold, because numpy compares bytes in one go.
    return levels ^ ((levels >= np.uint8(math.ceil(255.0 * magnitude))) * np.uint8(255))


def _inverted(held: Held, _: float) -> Held:
    return 255 - _array(held)


def _through_tables(held: Held, table: Callable[[Array], Array]) -> Held:
    image = _image(held)
    counts = np.array(image.histogram()).reshape(-1, 256)
    return image.point([level for channel in counts for level in table(channel).tolist()])


_ON_LEVELS: dict[str, Callable[[Held, float], Held]] = {
    "Identity": lambda held, _: held, "Brightness": _brightened, "Color": _coloured, "Contrast": _contrasted,
    "Sharpness": _sharpened, "Posterize": _posterized, "Solarize": _solarized, "Invert": _inverted,
    "AutoContrast": lambda held, _: _through_tables(held, _stretched),
    "Equalize": lambda held, _: _through_tables(held, _equalized),
}  # fmt: skip
_LEVELS = np.arange(256)


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


def _on_floats(
    levels: Array, operation: str, magnitude: float, interpolation: str, fill: tuple[int, ...]
) -> Array:
    if operation in GEOMETRIC:
        planes = [
            _moved(Image.fromarray(np.ascontiguousarray(levels[..., c])), operation, magnitude, interpolation, f)
            for c, f in zip(range(levels.shape[2]), fill, strict=False)
        ]
        return np.asarray(np.clip(np.stack([np.asarray(p) for p in planes], axis=2), 0, 255))
    if operation in ENHANCED:
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
    return _smooth(levels)
