"""What colours become: ColorJitter and Grayscale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sightline.augmentation.transform import Array, Transform, as_levels, check
from sightline.randomness import Draws

LUMA = (0.299, 0.587, 0.114)
"""Grey of a colour, ITU-R 601."""
STEPS = ("brightness", "contrast", "saturation", "hue")
FACTORS = np.dtype([("factors", np.float64, 4), ("order", np.int64, 4)])
"""Parameters of ColorJitter: the factor of each of STEPS (the last one in turns of the colour circle), and the order
in which they come."""


def grey_of(levels: Array) -> Array:
    """Grey of the last axis: 3 channels, or 1 that is grey already."""
    if levels.shape[-1] == 1:
        return levels[..., 0]
    red, green, blue = (levels[..., c] * w for c, w in enumerate(LUMA))
    return np.asarray(red + green + blue)


@dataclass(frozen=True, kw_only=True)
class ColorJitter(Transform):
    """Brightness, contrast, saturation and hue changed in random order, clipped after each and rounded once.

    The arithmetic is that of torchvision on float images. An image of one channel has neither saturation nor hue.
    """

    brightness: float = 0.3
    """Levels times 1 ± this."""
    contrast: float = 0.3
    """Distances from the image's mean grey times 1 ± this."""
    saturation: float = 0.3
    """Distances from each pixel's grey times 1 ± this."""
    hue: float = 0.0
    """Hue moved by up to this share of the colour circle either way; 0.5 is the opposite colour."""

    def __post_init__(self) -> None:
        for name in STEPS[:3]:
            check(0 <= getattr(self, name) <= 1, f"ColorJitter.{name}", "in [0, 1]", getattr(self, name))
        check(0 <= self.hue <= 0.5, "ColorJitter.hue", "in [0, 0.5]", self.hue)

    def draw(self, draws: Draws, stream: int, sizes: Array) -> Array:
        """Factors and order of each sample (`FACTORS`, n)."""
        out = np.empty(len(sizes), FACTORS)
        for k, name in enumerate(STEPS):
            width, middle = getattr(self, name), 0 if name == "hue" else 1
            out["factors"][:, k] = draws.uniform(stream + k, middle - width, middle + width)
        out["order"] = draws.bits(range(stream + 4, stream + 8)).argsort(axis=0, kind="stable").T
        return out

    def apply(self, levels: Array, parameters: Array) -> Array:
        """The image with other colours; uint8 is rounded to the nearest level."""
        out = levels.astype(np.float64)
        for step in parameters["order"]:
            out = np.clip(_changed(out, STEPS[step], float(parameters["factors"][step])), 0, 255)
        return as_levels(out, levels.dtype)

    def describe(self, parameters: Array) -> str:
        """The factors that differ from doing nothing, in the order in which they come."""
        told = [(STEPS[k], float(parameters["factors"][k])) for k in parameters["order"]]
        words = [f"{n} {f:+.2f}" if n == "hue" else f"{n} × {f:.2f}" for n, f in told if f != (0 if n == "hue" else 1)]
        return ", ".join(words)


def _changed(levels: Array, step: str, factor: float) -> Array:
    if step == "brightness":
        return levels * factor
    if step == "contrast":
        return np.asarray(levels * factor + (1 - factor) * grey_of(levels).mean())
    if levels.shape[2] == 1 or (step == "hue" and factor == 0):
        return levels
    if step == "saturation":
        return np.asarray(levels * factor + (1 - factor) * grey_of(levels)[..., None])
    return np.moveaxis(hue_turned(np.moveaxis(levels, 2, 0), factor), 0, 2)


def hue_turned(planes: Array, turn: float) -> Array:
    """Red, green and blue (first axis) with their hue moved by `turn` of the colour circle; whites stay white.

    The brightest and the darkest channel of a pixel keep their levels; which they are, and where the third lies between
    them, moves on.
    """
    red, green, blue = planes
    number = planes.dtype.type
    top = np.maximum(np.maximum(red, green), blue)
    chroma = top - np.minimum(np.minimum(red, green), blue)
    scale = 1 / np.maximum(chroma, np.finfo(planes.dtype).tiny)
    # Hue in sixths of the circle, from red over green to blue.
    hue = (red - green) * scale + number(4)
    np.copyto(hue, (blue - red) * scale + number(2), where=top == green)
    np.copyto(hue, (green - blue) * scale, where=top == red)
    out = np.empty_like(planes)
    for channel, middle in zip(out, (3, 5, 7), strict=True):
        # A channel has no chroma within a sixth of the colour opposite to it, all of it beyond two sixths.
        away = hue + number(6 * turn + 6 - middle)
        away -= np.rint(away * number(1 / 6)) * number(6)
        share = np.clip(np.abs(away, out=away) - number(1), 0, 1)
        np.add(top - chroma, chroma * share, out=channel)
    return out


@dataclass(frozen=True, kw_only=True)
class Grayscale(Transform):
    """Every channel the grey of its pixel, with probability `p`; an image of one channel is grey already."""

    p: float = 0.1

    def __post_init__(self) -> None:
        check(0 <= self.p <= 1, "Grayscale.p", "a probability", self.p)

    def draw(self, draws: Draws, stream: int, sizes: Array) -> Array:
        """Whether each sample loses its colours (bool, n)."""
        return draws.uniform(stream) < self.p

    def apply(self, levels: Array, parameters: Array) -> Array:
        """The image, grey where the parameter says so: uint8 in Pillow's integer weights."""
        if not parameters or levels.shape[2] == 1:
            return levels
        if levels.dtype == np.uint8:
            red, green, blue = (levels[..., c].astype(np.uint32) for c in range(3))
            grey = ((19595 * red + 38470 * green + 7471 * blue + (1 << 15)) >> 16).astype(np.uint8)
        else:
            grey = grey_of(levels).astype(levels.dtype)
        return np.repeat(grey[..., None], 3, axis=2)

    def describe(self, parameters: Array) -> str:
        """`grey` or nothing."""
        return "grey" if parameters else ""
