"""Small folders of pictures whose class says nothing, and marks that give some of them away."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sightline import indexing
from sightline.samples import SampleTable

Array = np.ndarray[Any, Any]

Draw = Callable[[str, int, Array], Array | bytes]
"""Class, number and pixels of a picture → the pixels, or the bytes of the file."""


def blobs(seed: int, side: int = 24) -> Array:
    """Smooth random colours, uint8 [side, side, 3]."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))


def encoded(pixels: Array, quality: int = 90, exif: dict[int, str] | None = None) -> bytes:
    """A JPEG."""
    stream, tags = io.BytesIO(), Image.Exif()
    for tag, value in (exif or {}).items():
        tags[tag] = value
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality, exif=tags)
    return stream.getvalue()


def write(root: Path, counts: dict[str, int], draw: Draw | None = None, seed: int = 0) -> Path:
    """A class folder tree of JPEGs; keys are CLASS/NUMBER.jpg below `root`, or below a split where a name has one."""
    for name, count in counts.items():
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        for i in range(count):
            pixels = blobs(seed)
            seed += 1
            made = draw(name, i, pixels) if draw is not None else pixels
            data = made if isinstance(made, bytes) else encoded(made)
            (folder / f"{i:04d}.jpg").write_bytes(data)
    return root


def table(root: Path, counts: dict[str, int], draw: Draw | None = None, seed: int = 0) -> SampleTable:
    """The table of such a tree."""
    return indexing.index(write(root, counts, draw, seed))
