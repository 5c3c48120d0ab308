"""RandomErasing: a box of the normalized image replaced by a constant or by noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sightline.augmentation.geometry import TRIES
from sightline.augmentation.transform import Array, Transform, check
from sightline.randomness import Draws, normals

ERASED = np.dtype([("box", np.int64, 4), ("key", np.uint64)])
"""Parameters of RandomErasing: top, left, height, width of what is erased (height 0: nothing), and the noise's key."""


@dataclass(frozen=True, kw_only=True)
class RandomErasing(Transform):
    """With probability `p`, a box of the normalized image replaced. Source: Zhong et al., arXiv 1708.04896.

    It works on normalized values, so that 0 is the mean colour; it stands at the end of the list.
    """

    is_normalized: ClassVar[bool] = True

    p: float = 0.25
    """How often a box is erased."""
    scale: tuple[float, float] = (0.02, 0.33)
    """Share of the image's area, uniform."""
    ratio: tuple[float, float] = (0.3, 3.3)
    """Height over width, log-uniform."""
    value: float | str | tuple[float, ...] = 0.0
    """The normalized value, one for each channel, or "random": standard normal noise, one number for each value."""

    def __post_init__(self) -> None:
        check(0 <= self.p <= 1, "RandomErasing.p", "a probability", self.p)
        check(0 < self.scale[0] <= self.scale[1] <= 1, "RandomErasing.scale", "0 < low <= high <= 1", self.scale)
        check(0 < self.ratio[0] <= self.ratio[1], "RandomErasing.ratio", "0 < low <= high", self.ratio)
        is_channels = isinstance(self.value, tuple) and len(self.value) in (1, 3) and all(map(_is_number, self.value))
        is_fine = self.value == "random" or _is_number(self.value) or is_channels
        check(is_fine, "RandomErasing.value", "a number, one for each channel, or 'random'", self.value)

    def draw(self, draws: Draws, stream: int, sizes: Array) -> Array:
        """The box of each sample (`ERASED`, n), smaller than the image either way; none where no try is."""
        height, width = sizes[:, 0].astype(np.float64), sizes[:, 1].astype(np.float64)
        area = height * width * draws.uniform(range(stream, stream + TRIES), *self.scale)
        ratio = np.exp(draws.uniform(range(stream + TRIES, stream + 2 * TRIES), *(math.log(r) for r in self.ratio)))
        h, w = np.rint(np.sqrt(area * ratio)), np.rint(np.sqrt(area / ratio))  # tries × samples
        fits = (h < height) & (w < width)
        first, each = fits.argmax(axis=0), np.arange(len(sizes))
        is_erased = fits[first, each] & (draws.uniform(stream + 2 * TRIES + 2) < self.p)
        h, w = h[first, each] * is_erased, w[first, each] * is_erased
        y, x = draws.uniform(range(stream + 2 * TRIES, stream + 2 * TRIES + 2)) * is_erased
        out = np.empty(len(sizes), ERASED)
        out["box"] = np.stack([np.floor(y * (height - h + 1)), np.floor(x * (width - w + 1)), h, w], axis=1)
        out["key"] = draws.bits(stream + 2 * TRIES + 3)
        return out

    def apply(self, levels: Array, parameters: Array) -> Array:
        """The normalized image (float32) with its box replaced."""
        out = levels.copy()
        self.erase(out, parameters)
        return out

    def erase(self, values: Array, parameters: Array) -> None:
        """Replace the box of a normalized image, in place."""
        top, left, height, width = (int(p) for p in parameters["box"])
        if not height or not width:
            return
        part = values[top : top + height, left : left + width]
        if self.value == "random":
            part[:] = normals(int(parameters["key"]), part.size).reshape(part.shape)
            return
        if isinstance(self.value, tuple):
            wanted = f"one number for each of the {values.shape[2]} channels"
            check(len(self.value) in (1, values.shape[2]), "RandomErasing.value", wanted, self.value)
        part[:] = self.value

    def describe(self, parameters: Array) -> str:
        """Size and place of the box."""
        top, left, height, width = (int(p) for p in parameters["box"])
        return f"erased {height} × {width} at ({top}, {left})" if height and width else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
