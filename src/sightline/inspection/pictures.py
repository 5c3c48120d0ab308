"""What a picture looks like, in numbers, and its thumbnail. All of it from pixels that are decoded already.

| column | is |
|---|---|
| `luminance_…` | mean, standard deviation and percentiles of ITU-R 601 luminance |
| `entropy` | of the luminance's histogram of 256 levels, in bits: 0 for one level, 8 for all alike |
| `sharpness` | how quickly luminance changes, see `sharpness_of` |
| `blockiness` | how much larger steps between the 8 × 8 blocks of a JPEG are than those inside, see `blocks_of` |
| `flatness` | how much flatter the 16 × 16 blocks of WebP and AVIF are inside than around, see `blocks_of` |
| `red` `green` `blue` | mean |
| `saturation` | mean of (largest - smallest channel) / largest, of the thumbnail's pixels |
| `chroma_max` | largest difference between two channels of a pixel of the thumbnail; 0 for a grey picture |
| `colour_std` | standard deviation of the channel that varies most, in the thumbnail; 0 for one colour |
| `transparent_share` | share of pixels whose opacity is below one half |
| `bars_…` | uniform rows or columns at each side; `bars_step` is how sharply they end, see `bars_of` |
| `corners` `border` | mean colours of the thumbnail's corners (an eighth of the side) and of its outer sixteenth |

Levels are shares of full scale: 65,535 of 16 bits is 1, and a 12-bit image stored in 16 is dark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from sightline.images import Pixels
from sightline.images.upright import oriented
from sightline.inspection.measures import bars_of, blocks_of, halved, sharpness_of
from sightline.inspection.schema import BARS, MEASURES
from sightline.samples import pixel_sums_of

Array = np.ndarray[Any, Any]

COUNTED = 1 << 15
"""Pixels of a large picture's evenly spaced rows whose levels are counted, at the least."""


class Picture(NamedTuple):
    """What one image gives before the columns are computed for many at once."""

    histogram: Array
    """float64 [256], of luminance; sums to 1."""
    percentiles: Array | None
    """luminance_p1 … luminance_p99 of 16-bit images, whose histogram is too coarse."""
    sharpness: float
    blockiness: float
    flatness: float
    transparent_share: float
    bars: tuple[int, int, int, int]
    bars_step: float
    colours: tuple[float, ...]
    """The columns `COLOURS`."""
    tiny: Array
    """The thumbnail in 16 × 16, for corners and border."""
    thumbnail: Array
    """uint8 [side, side, 3]."""


@contextmanager
def single_threaded() -> Iterator[None]:
    """OpenCV without threads of its own, as it was before afterwards: images are what runs in parallel here."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def picture_of(pixels: Pixels, side: int) -> Picture:
    """Measures and thumbnail of one decoded image."""
    import cv2

    values, transparent = _opaque(pixels.values)
    levels = _eight_bits(values)
    grey = levels[:, :, 0] if levels.shape[2] == 1 else cv2.cvtColor(levels, cv2.COLOR_RGB2GRAY)
    grey = np.ascontiguousarray(grey)
    every = max(min(grey.size // COUNTED, len(grey)), 1)
    histogram = cv2.calcHist([grey[::every]], [0], None, [256], [0, 256]).ravel().astype(np.float64)
    bars, step = bars_of(grey)
    blockiness, flatness = blocks_of(grey)
    thumbnail = _thumbnail(values, levels, side, pixels.orientation)
    return Picture(
        histogram=histogram / histogram.sum(), percentiles=_fine_percentiles(values), sharpness=sharpness_of(grey),
        blockiness=blockiness, flatness=flatness, transparent_share=transparent,
        bars=_upright_bars(bars, pixels.orientation), bars_step=step, colours=_colours(thumbnail), thumbnail=thumbnail,
        tiny=cv2.resize(thumbnail, (16, 16), interpolation=cv2.INTER_AREA),
    )  # fmt: skip


def _opaque(values: Array) -> tuple[Array, float]:
    """The colours laid on white, and the share of pixels that are more transparent than not."""
    if values.shape[2] in {1, 3}:
        return values, 0.0
    opacity = values[..., -1:]
    full = np.iinfo(values.dtype).max
    mixed = (values[..., :-1].astype(np.uint64) * opacity + full * (full - opacity.astype(np.uint64)) + full // 2)
    return (mixed // full).astype(values.dtype), float((opacity < full / 2).mean())


def _eight_bits(values: Array) -> Array:
    return np.ascontiguousarray(values if values.dtype == np.uint8 else (values >> 8).astype(np.uint8))


def pixel_sums(pixels: Pixels) -> dict[str, Any]:
    """What `samples.pixel_sums_of` gives, by OpenCV: 0.1 ms for a photograph of ImageNet, where numpy takes 0.8."""
    import cv2

    values = pixels.values
    if values.dtype != np.uint8:
        return pixel_sums_of(pixels)
    planes = cv2.split(np.ascontiguousarray(values))[: 3 if values.shape[2] >= 3 else 1]
    # Sums of integers in float64 are exact below 2⁵³. The norm has been a root: its square is right to 10⁻¹⁵ of itself.
    return {"num_pixels": values.shape[0] * values.shape[1], "sums": [int(cv2.sumElems(p)[0]) for p in planes],
            "squares": [round(cv2.norm(p, cv2.NORM_L2SQR)) for p in planes]}  # fmt: skip


PERCENTILES = (1, 5, 50, 95, 99)


def _fine_percentiles(values: Array) -> Array | None:
    if values.dtype == np.uint8:
        return None
    grey = values[..., 0] if values.shape[2] == 1 else values.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    return np.asarray(np.percentile(grey, PERCENTILES) / 65535)


def _thumbnail(values: Array, levels: Array, side: int, orientation: int) -> Array:
    import cv2

    if values.dtype == np.uint16:  # medical and depth images use a part of the range; a black square tells nothing
        low, high = int(values.min()), int(values.max())
        levels = ((values.astype(np.float32) - low) * (255 / max(high - low, 1)) + 0.5).astype(np.uint8)
    # Means of 2 × 2 first: at once it takes 0.6 ms where this takes 0.2, for a photograph of ImageNet.
    while min(levels.shape[:2]) >= 4 * side:
        levels = halved(levels)
    small = cv2.resize(levels, (side, side), interpolation=cv2.INTER_AREA).reshape(side, side, -1)
    if small.shape[2] == 1:
        small = np.repeat(small, 3, axis=2)
    return np.ascontiguousarray(oriented(small, orientation))


COLOURS = ("red", "green", "blue", "saturation", "chroma_max", "colour_std")


def _colours(thumbnail: Array) -> tuple[float, ...]:
    """The columns `COLOURS` of one thumbnail."""
    import cv2

    mean, deviation = cv2.meanStdDev(thumbnail)
    red, green, blue = cv2.split(thumbnail)
    largest = cv2.max(cv2.max(red, green), blue)
    chroma = cv2.subtract(largest, cv2.min(cv2.min(red, green), blue))
    saturation = float((chroma / np.maximum(largest, 1, dtype=np.float32)).mean())
    means = (float(m) / 255 for m in mean.ravel())
    return (*means, saturation, float(chroma.max()) / 255, float(deviation.max()) / 255)


def _upright_bars(bars: tuple[int, int, int, int], orientation: int) -> tuple[int, int, int, int]:
    top, bottom, left, right = bars
    if orientation >= 5:
        top, bottom, left, right = left, right, top, bottom
    if orientation in {2, 3, 6, 7}:
        left, right = right, left
    if orientation in {3, 4, 7, 8}:
        top, bottom = bottom, top
    return top, bottom, left, right


def columns_of(pictures: Sequence[Picture | None]) -> dict[str, Array]:
    """Columns of many images: float32 [n] (NaN for None), int64 [n] for the bars, float32 [n, 12] and [n, 3]."""
    n, seen = len(pictures), [i for i, p in enumerate(pictures) if p is not None]
    columns: dict[str, Array] = {name: np.full(n, np.nan, np.float32) for name in MEASURES}
    columns |= {name: np.zeros(n, np.int64) for name in BARS}
    columns |= {"corners": np.zeros((n, 12), np.float32), "border": np.zeros((n, 3), np.float32)}
    if seen:
        known = [p for p in pictures if p is not None]
        for name, values in _of_levels(known).items():
            columns[name][seen] = values
        for k, name in enumerate(COLOURS):
            columns[name][seen] = [p.colours[k] for p in known]
        columns["corners"][seen], columns["border"][seen] = _edges(np.stack([p.tiny for p in known]))
        for name in ("sharpness", "blockiness", "flatness", "transparent_share", "bars_step"):
            columns[name][seen] = [getattr(p, name) for p in known]
        for k, name in enumerate(BARS):
            columns[name][seen] = [p.bars[k] for p in known]
    return columns


def _of_levels(pictures: Sequence[Picture]) -> dict[str, Array]:
    shares = np.stack([p.histogram for p in pictures])
    levels = np.arange(256) / 255
    mean = shares @ levels
    columns = {
        "luminance_mean": mean,
        "luminance_std": np.sqrt(np.maximum(shares @ levels**2 - mean**2, 0)),
        "entropy": -(shares * np.log2(np.where(shares > 0, shares, 1))).sum(1),
    }
    summed = shares.cumsum(1)
    for k, p in enumerate(PERCENTILES):
        reached = (summed < p / 100 - 1e-9).sum(1).clip(0, 255) / 255
        columns[f"luminance_p{p}"] = np.array(
            [reached[i] if (fine := picture.percentiles) is None else fine[k] for i, picture in enumerate(pictures)]
        )
    return columns


def _edges(tiny: Array) -> tuple[Array, Array]:
    """Mean colours of the four corners, float32 [n, 12], and of the border, [n, 3], of pictures of 16 × 16."""
    small = tiny.astype(np.float32) / 255
    corners = [small[:, rows, columns].mean((1, 2)) for rows in (slice(2), slice(-2, None))
               for columns in (slice(2), slice(-2, None))]  # fmt: skip
    is_border = np.ones((16, 16), bool)
    is_border[1:-1, 1:-1] = False
    return np.concatenate(corners, axis=1), small[:, is_border].mean(1)
