"""Measures of a grey picture that need its neighbourhoods: sharpness, the blocks of JPEG, and bars at its sides.

A grey picture is luminance, uint8 [height, width].
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

WORKING_SIDE = 768
"""Largest longer side at which sharpness is measured."""

TILES = 8
"""Rows and columns of the grid whose sharpest parts count; fewer of small pictures."""

DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1))
"""Rows down and columns to the right; every second one is a diagonal."""

DOUBTFUL, HALF_AS_SHARP = 0.55, 0.8
"""Sharpness below which the half of the picture counts too, and how much. Of 500 originals of ImageNet 9 % lie below.
76 % instead of 56 % of their copies moved by 15 whole pixels one after the other have less than 0.3 so, and of 5,000
photographs of Imagenette one more."""

CONTRAST = 1.5
"""Levels between neighbours, in the mean of a tile: below it the encoder's noise is all there is."""

UNIFORM = 6
"""A row whose luminance varies by no more than this (of 255) is one of a bar; JPEG leaves some noise in them."""

STEP = 10
"""A pixel behind a bar differs from it by more than this (of 255)."""


def sharpness_of(grey: Array) -> float:
    """How quickly luminance changes along the direction in which it does so least: 0 for ramps, 1 for noise.

    1.5 (1 - Σ|g(x + 3) - g(x)| / 3 Σ|g(x + 1) - g(x)|), over rows, over columns and along both diagonals, each in the
    sharpest twentieth of the tiles that have any contrast along it: a blurred ground is no blurred picture. A ratio, so
    that contrast does not count; the least direction, because a camera that moved blurs one alone. Measured in the
    picture, halved until its longer side is at most `WORKING_SIDE`, as a network would see it, and where that is little
    once more in its half, where noise and the jags of the camera's way are gone. NaN for a picture without any step, or
    of fewer than 12 rows or columns.

    At the value that 1 % of 500 originals of ImageNet lie below, that finds 98 % of their copies moved by 15 pixels,
    where rows and columns together find 58 %, and 72 % of those blurred by a Gaussian of one, where they find 86 %
    and the blur effect of F. Crete et al. (2007), the same question with a blur of nine pixels, 30 %.
    """
    while max(grey.shape) > WORKING_SIDE and min(grey.shape) >= 24:
        grey = halved(grey)
    if min(grey.shape) < 12:
        return float("nan")
    found = _least_sharpness(grey)
    if found < DOUBTFUL and min(grey.shape) >= 128:
        found = np.fmin(found, HALF_AS_SHARP * _least_sharpness(halved(grey)))
    return float(found)


def _least_sharpness(grey: Array) -> float:
    """Of the four directions, in every fourth row."""
    near, far = _changes(grey)
    telling = near >= CONTRAST
    if not telling.any():
        near, far = near.sum(1, keepdims=True), far.sum(1, keepdims=True)
        telling = near > 0
    ratios = np.sort(np.where(telling, far / np.maximum(3 * near, 1e-9), np.inf))
    found = []
    for k, count in enumerate(telling.sum(1).tolist()):
        if count:
            rest = 1 - float(ratios[k, count // 20])
            # A diagonal step is √2 long. This way one Gaussian blur gives nearly the same in every direction.
            found.append(3 * rest / (4 - 3 * rest) if k % 2 else 1.5 * rest)
    return max(min(found), 0.0) if found else float("nan")


def _changes(grey: Array) -> tuple[Array, Array]:
    """Mean differences over one step and over three, [directions, tiles]."""
    import cv2

    height, width = grey.shape[0] // 4, grey.shape[1] - 6
    rows, columns = min(TILES, height), min(TILES, max(width // 4, 1))
    height, width = height // rows * rows, width // columns * columns

    def at(down: int, right: int) -> Array:
        return grey[down : 4 * height : 4, 3 + right : 3 + right + width]

    found = np.empty((2, len(DIRECTIONS), height, width), np.uint8)
    for k, (down, right) in enumerate(DIRECTIONS):
        for j, steps in enumerate((1, 3)):
            cv2.absdiff(at(0, 0), at(steps * down, steps * right), found[j, k])
    # Sums of the parts of each row first: half the time of an integral image.
    parts = cv2.reduce(found.reshape(-1, width // columns), 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)
    sums = parts.reshape(2, len(DIRECTIONS), rows, -1, columns).sum(3)
    near, far = sums.reshape(2, len(DIRECTIONS), -1) * (rows * columns / (height * width))
    return near, far


def halved(picture: Array) -> Array:
    """Means of 2 × 2 pixels, uint8; the last of an odd number of rows or columns is left out."""
    import cv2

    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    return np.asarray(cv2.resize(picture[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA))


def blocks_of(grey: Array) -> tuple[float, float]:
    """What codecs leave where they were given few bytes: how far blocks of 8 × 8 show, and how flat blocks of 16 are.

    The first is the mean step between neighbouring pixels across the borders of 8 × 8 blocks, over the median of the
    other phases: 1 for a picture that no JPEG encoder has seen, or a gentle one; 2 and more where blocks show. The grid
    may lie anywhere: a picture cut after it was compressed has its own.

    The second is for WebP and AVIF, which smooth the borders: how much more often neighbours are equal inside blocks of
    16 × 16, which are filled from what is beside them, than around their borders. The amplitude at a period of 16
    pixels of the share of equal neighbours, less the mean of those at 14 and 18: what is flat in a scene is flat at all
    periods, and JPEG has one of 8.

    Of both axes the mean and the less. NaN below 128 rows or columns, where phases differ by chance (on MNIST's digits
    one in twenty would have blocks), and the first without any step.
    """
    import cv2

    if min(grey.shape) < 128:
        return float("nan"), float("nan")
    rows, columns = grey[::4], np.ascontiguousarray(grey[:, ::4])
    worst, flat = [], []
    for axis, steps in enumerate((cv2.absdiff(rows[:, 1:], rows[:, :-1]), cv2.absdiff(columns[1:], columns[:-1]))):
        lines = cv2.reduce(steps, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel()
        phases = lines[: len(lines) // 8 * 8].reshape(-1, 8).sum(0)
        middle = float(np.sort(phases)[3:5].mean())
        worst.append(float(phases.max()) / middle if middle > 0 else float("nan"))
        is_step = cv2.threshold(steps, 0, 1, cv2.THRESH_BINARY)[1]
        counts = cv2.reduce(is_step, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel()
        at, before, after = np.abs(_waves(len(counts) // 16 * 16) @ counts[: len(counts) // 16 * 16]).tolist()
        flat.append((at - (before + after) / 2) / steps.shape[axis])
    return sum(worst) / 2, min(flat)


@lru_cache(maxsize=64)
def _waves(length: int) -> Array:
    """complex [3, length]: what gives the amplitudes at the periods 16, 14 and 18 of values around their mean."""
    waves = np.exp(2j * np.pi * np.arange(length) / np.array([[16.0], [14.0], [18.0]]))
    return np.asarray((waves - waves.mean(1, keepdims=True)) * (2 / length))


def bars_of(grey: Array) -> tuple[tuple[int, int, int, int], float]:
    """How many rows at top and bottom and columns at left and right are uniform, and how sharply they end, 0 … 1.

    The second value is the share of a bar's length along which the eight rows behind it differ from it; the smaller of
    two opposite sides that both have bars, the larger of the two pairs; 0 without such a pair. Bars that were added end
    at once all along; the plain ground of a photographed thing does not.
    """
    counts, steps = [], []
    for picture in (grey, grey[::-1], grey.T, grey.T[::-1]):
        count = _uniform_rows(picture)
        counts.append(count)
        if not 0 < count < len(picture):
            steps.append(0.0)
            continue
        # An edge rings through the whole of its JPEG block, and a dark picture reaches its bar's level here and there.
        inner = picture[[min(count + k, len(picture) - 1) for k in (2, 4, 6, 8)]].astype(np.int16)
        steps.append(float((np.abs(inner - int(picture[0].mean())) > STEP).any(0).mean()))
    pairs = [min(steps[i], steps[i + 1]) for i in (0, 2)]
    return (counts[0], counts[1], counts[2], counts[3]), max(pairs)


def _uniform_rows(picture: Array) -> int:
    """Rows from the first on that are of one level, the same in all of them."""
    first = picture[0]
    if abs(int(first[0]) - int(first[len(first) // 2])) > UNIFORM:  # for most pictures that is enough to know
        return 0
    low, high = int(first.min()), int(first.max())
    if high - low > UNIFORM:
        return 0
    count, step = 1, 32
    while count < len(picture):
        block = picture[count : count + step]
        lows, highs = np.minimum.accumulate(block.min(1)), np.maximum.accumulate(block.max(1))
        is_uniform = np.maximum(highs, high).astype(int) - np.minimum(lows, low) <= UNIFORM
        if not is_uniform.all():
            return count + int(is_uniform.argmin())
        count, low, high = count + len(block), min(low, int(lows[-1])), max(high, int(highs[-1]))
    return count
