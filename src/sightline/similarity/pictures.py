"""The pictures that are compared: luminance at full and at a small size, and colour, of every thumbnail."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np

from sightline.progress import progress
from sightline.similarity.pairs import Thumbnails

Array = np.ndarray[Any, Any]

SMALL = 32
"""Side of the small pictures, in which copies are looked for."""

CHROMA = 8
"""Side of the colour pictures."""

BLOCK = 4096
"""Rows that are worked on at a time."""

FLAT = 2.0
"""Standard deviation of luminance, of 255, below which a picture shows nothing that could be recognised."""

IN_MEMORY = 1 << 30
"""Bytes of luminance from which it lies in a temporary file: 1.28 million pictures of 64 pixels are 5 GB."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Pictures:
    """Pictures of a table's images, by row."""

    luminance: Array
    """uint8 [n, side, side]."""
    small: Array
    """uint8 [n, SMALL, SMALL]: luminance, averaged."""
    chroma: Array
    """int8 [n, 2, CHROMA, CHROMA]: red minus green, and blue minus their mean, halved."""
    is_told: Array
    """bool [n]: shows something that could be recognised."""
    first: Array
    """int64 [n]: the first row whose thumbnail is the same in every pixel."""

    @property
    def side(self) -> int:
        """Rows and columns of `luminance`."""
        return int(self.luminance.shape[1])

    def __len__(self) -> int:
        return len(self.luminance)

    @cached_property
    def compared(self) -> Array:
        """Rows that are compared, int64, ascending: one of equal thumbnails, where there is something to recognise."""
        return np.flatnonzero(self.is_told & (self.first == np.arange(len(self))))

    @classmethod
    def of(cls, thumbnails: Thumbnails) -> Pictures:
        """Pictures of all thumbnails. Their side is 32 or a multiple of it."""
        n, side = len(thumbnails), thumbnails.side
        if side % SMALL:
            raise ValueError(f"thumbnails have a side of {SMALL} pixels or a multiple of it, got {side}")
        luminance = _array((n, side, side))
        small, chroma = np.zeros((n, SMALL, SMALL), np.uint8), np.zeros((n, 2, CHROMA, CHROMA), np.int8)
        is_told, first = np.zeros(n, bool), np.arange(n)
        known: dict[bytes, int] = {}
        with progress("compare", n) as advance:
            for start in range(0, n, BLOCK):
                stop = min(start + BLOCK, n)
                shown = thumbnails.thumbnails(start, stop)
                for i, picture in enumerate(shown, start):
                    first[i] = known.setdefault(blake2b(picture.tobytes(), digest_size=16).digest(), i)
                rgb = shown.astype(np.float32)
                grey = rgb @ np.array([0.299, 0.587, 0.114], np.float32)
                luminance[start:stop] = grey.round()
                small[start:stop] = _averaged(grey, SMALL).round()
                red, green, blue = (_averaged(rgb[..., c], CHROMA) for c in range(3))
                chroma[start:stop] = np.stack([red - green, blue - (red + green) / 2], 1) / 2
                is_told[start:stop] = grey.std((1, 2)) >= FLAT
                advance(stop - start)
        return cls(luminance=luminance, small=small, chroma=chroma, is_told=is_told, first=first)


def _array(shape: tuple[int, int, int]) -> Array:
    if np.prod(shape) <= IN_MEMORY:
        return np.zeros(shape, np.uint8)
    with tempfile.TemporaryFile() as file:  # the mapping keeps it; no name is left behind
        return np.memmap(file, np.uint8, "w+", shape=shape)


def _averaged(pictures: Array, size: int) -> Array:
    n, side, _ = pictures.shape
    of = side // size
    return np.asarray(pictures.reshape(n, size, of, size, of).mean((2, 4)))


def contrast_normalised(pictures: Array, mask: Array | None = None, *, reach: float = 0.1) -> Array:
    """Pictures float32 [n, side, side] with mean 0 and deviation 1 around every pixel, within about `reach` sides.

    `mask` float32 of the same shape: 1 where the picture is known; elsewhere the result is 0 and the pixel counts for
    nothing. Light, exposure and contrast that change slowly over the picture are gone; edges and texture stay.
    """
    side = pictures.shape[-1]
    blur = gaussian(side, reach * side)
    known = np.ones((1, side, side), np.float32) if mask is None else mask
    weight = blur @ known @ blur + np.float32(1e-6)
    centred = (pictures - blur @ (pictures * known) @ blur / weight) * known
    variance = blur @ (centred * centred) @ blur / weight
    return np.asarray(centred / np.sqrt(variance + 16.0))  # 4 of 255: noise of a clear sky stays small


def gaussian(side: int, sigma: float) -> Array:
    """Weights float32 [side, side], not normalised, that blur a line of pixels by `sigma` of them."""
    x = np.arange(side)
    return np.asarray(np.exp(-((x[:, None] - x) ** 2) / (2 * sigma**2)), np.float32)
