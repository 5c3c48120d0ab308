"""Mean and standard deviation of the training pixels, exact: from integer sums, never from a running float."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from sightline.errors import SplitError
from sightline.samples import SampleTable
from sightline.splits.values import SealedSplit, Split

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Statistics of pixel values scaled to [0, 1] by each image's own depth."""

    mean: tuple[float, ...]
    """One for each channel."""
    std: tuple[float, ...]
    """Of all pixels (not the mean of per-image deviations), population form (ddof 0)."""
    num_pixels: int
    num_images: int
    """Images that could be read."""
    bits: tuple[int, ...]
    """Depths that occur."""
    channels: int
    """1 where every image is grey, else 3, a grey image counting as three equal channels."""
    kind: str = "per_pixel"
    """Each pixel has the same weight, so that larger images have more."""


def channel_statistics(samples: SampleTable, split: Split) -> Statistics:
    """Exact mean and standard deviation of the readable images of a split, before any resizing; alpha is left out.

    Raises SplitError for the sealed test, and where no image can be read.
    """
    if isinstance(split, SealedSplit):
        raise SplitError("Statistics for normalization come from train alone and test is sealed. Pass splits.train.")
    hashed = samples.hashed()
    column = hashed.table.select(["image", "pixel_sums"]).take(hashed.positions(split.ids)).combine_chunks()
    sums = column["pixel_sums"].combine_chunks()
    is_there = sums.is_valid()
    sums = sums.filter(is_there)
    if len(sums) == 0:
        raise SplitError(f"No image of {split.name} ({len(split)} samples of {samples.name}) could be read. See "
                         "the reasons in samples.parquet: is the copy complete?")  # fmt: skip
    bits = column["image"].combine_chunks().filter(is_there).field("bits").fill_null(8)
    is_deep = bits.to_numpy(zero_copy_only=False) == 16
    pixels = sums.field("num_pixels").to_numpy()
    widths = sums.field("sums").value_lengths().to_numpy()
    channels = int(widths.max())
    first, second = [Fraction(0)] * channels, [Fraction(0)] * channels
    for deep, top in ((False, 255), (True, 65_535)):
        for width in (1, 3):
            chosen = (is_deep == deep) & (widths == width)
            totals, squares = (_totals(sums.field(name), widths, chosen) for name in ("sums", "squares"))
            for c in range(channels if chosen.any() else 0):
                first[c] += Fraction(totals[c % width], top)
                second[c] += Fraction(squares[c % width], top * top)
    n = sum(pixels.tolist())
    means = [s / n for s in first]
    return Statistics(
        mean=tuple(float(m) for m in means),
        std=tuple(math.sqrt(q / n - m * m) for q, m in zip(second, means, strict=True)),
        num_pixels=n,
        num_images=len(sums),
        bits=tuple(b for b, seen in ((8, not is_deep.all()), (16, is_deep.any())) if seen),
        channels=channels,
    )


def _totals(lists: Any, widths: Array, chosen: Array) -> list[int]:
    """Sum over the chosen images of each channel, as Python integers: int64 would overflow for 16-bit sets."""
    if not chosen.any():
        return []
    values = lists.flatten().to_numpy()[np.repeat(chosen, widths)].reshape(int(chosen.sum()), -1)
    high, low = values >> 32, values & 0xFFFFFFFF
    return [(int(h) << 32) + int(w) for h, w in zip(high.sum(0), low.sum(0), strict=True)]
