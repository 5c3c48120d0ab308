"""Views: parts of a picture, each upright or mirrored, as one copy may show what another one holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class View:
    """A square part of a picture, in fractions of its side."""

    left: float
    top: float
    scale: float
    """Side of the part: 1 is the whole picture."""
    is_mirrored: bool

    def warp(self, side: int) -> Array:
        """The affine map float32 [2, 3] from pixels of the view to pixels of the picture, both `side` wide.

        Pixel centres have whole numbers, as in OpenCV.
        """
        half = (self.scale - 1) / 2  # centres: scale * (x + 1/2) - 1/2
        x0, y0 = self.left * side + half, self.top * side + half
        if self.is_mirrored:
            return np.array([[-self.scale, 0, x0 + self.scale * (side - 1)], [0, self.scale, y0]], np.float32)
        return np.array([[self.scale, 0, x0], [0, self.scale, y0]], np.float32)


def _grid(scale: float, steps: int) -> list[tuple[float, float, float]]:
    places = np.linspace(0, 1 - scale, steps).round(4).tolist()
    return [(left, top, scale) for top in places for left in places]


VIEWS = tuple(
    View(left, top, scale, is_mirrored)
    for left, top, scale in ((0.0, 0.0, 1.0), *_grid(0.8, 3), *_grid(0.6, 4))
    for is_mirrored in (False, True)
)
"""Whole, nine parts of four fifths and sixteen of three fifths of the side, upright and mirrored.

Neighbouring parts lie so close that no part of their size is further from one of them than a ninth of its side.
"""


def sampling(start: float, extent: float, side: int, size: int) -> Array:
    """Weights float64 [size, side] that resample `extent` of a line of `side` pixels from `start` to `size` pixels.

    A triangle as wide as the larger of the two pixels: averages where it shrinks, interpolates where it enlarges.
    """
    step = extent * side / size
    centres = start * side + (np.arange(size) + 0.5) * step
    distance = np.abs(np.arange(side) + 0.5 - centres[:, None])
    weights = np.maximum(0, 1 - distance / max(step, 1.0))
    return np.asarray(weights / weights.sum(1, keepdims=True))


def resampling(view: View, side: int, size: int) -> Array:
    """The linear map float64 [side * side, size * size] from a flattened picture to a flattened view of it."""
    rows = sampling(view.top, view.scale, side, size)
    columns = sampling(view.left, view.scale, side, size)
    if view.is_mirrored:
        columns = columns[::-1]
    return np.kron(rows, columns).T
