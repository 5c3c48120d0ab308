"""Random-patch features: responses to patches of the images themselves, whitened, thresholded and averaged.

After Coates and Ng (2012, "Learning feature representations with k-means"), who found that random patches do almost as
well as learnt ones, and Recht et al. (2019), who used them as a classifier without any training.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from sightline.errors import DataError
from sightline.parallel import in_order
from sightline.progress import track
from sightline.randomness import Draws

Array = np.ndarray[Any, Any]

SIDE = 32
"""Thumbnails of 64 pixels are averaged down to this first: the cost of an image is the same for all data sets."""

PATCH = 6
NUM_FILTERS = 1024
"""Every patch and its mirror image: half of the features are then the same for a mirrored picture, at no further cost.
With these alone ridge ranks the wrong labels of CIFAR-10N better than with as many of both kinds (10,000 images: AUROC
.886 against .870)."""

POOL = 2
"""Averages are taken over the quadrants of the image."""

GRID = 4
"""Mean colours of 4 x 4 cells are features too: patches of unit contrast know nothing of brightness."""

THRESHOLD = 0.5
"""Responses nearer to zero than this many standard deviations count as none."""

MAX_BYTES = 2 << 30
"""Features of a table stay below this: 1.28 M images get 104 filters instead of 1024."""

_PATCHES = 100_000
_BLOCK = 4
"""Images whose responses to `_CHUNK` filters (3 MB) stay in the cache until they are averaged."""

_CHUNK = 256
_READ = 2048
"""Thumbnails that are read at a time; of a stored inspection a whole block is read for any of its rows."""

_CONTRAST = 10.0
"""Added to the variance of a patch, in grey levels squared: flat patches do not become noise."""

_EPSILON = 0.1
"""Added to the variances of patches of unit contrast when they are whitened."""


class Thumbnails(Protocol):
    """What the features are made of: an inspection, or a test's own."""

    @property
    def side(self) -> int:
        """Height and width in pixels: 32, or a multiple."""

    def __len__(self) -> int: ...

    def thumbnails(self, start: int, stop: int) -> Array:
        """uint8 RGB (stop - start, side, side, 3)."""


@dataclass(frozen=True, eq=False)
class Filters:
    """Patches that images are compared with, whitening folded in."""

    weights: Array
    """float32 (108, number of filters), for patches of unit contrast."""
    offset: Array
    """float32 (number of filters,): what the average patch gives, to be subtracted."""
    threshold: float

    @property
    def num_features(self) -> int:
        """Both signs of each response, in each cell of the pooling."""
        return 2 * POOL * POOL * int(self.weights.shape[1])

    def responses(self, images: Array) -> Array:
        """float32 (n, num_features) of images (n, SIDE, SIDE, 3): square roots of the mean excess over the threshold.

        The root makes rare strong responses and common weak ones comparable: with it the ridge ranks as well with half
        of the features (CIFAR-10N, 15,000 images: AUROC .876 with 4096 features, .865 without it).
        """
        n, count = len(images), self.weights.shape[1]
        patches = _normalised(_patches_of(images))
        out = np.empty((n, 2, POOL * POOL, count), np.float32)
        for first in range(0, count, _CHUNK):
            at = slice(first, first + _CHUNK)
            found = patches @ self.weights[:, at]
            found -= self.offset[at]
            each = found.reshape(n, -1, found.shape[1])
            out[:, 0, :, at] = _POOLING @ np.maximum(each, self.threshold) - self.threshold
            out[:, 1, :, at] = -(_POOLING @ np.minimum(each, -self.threshold, out=each)) - self.threshold
        return np.sqrt(np.maximum(out, 0, out=out), out=out).reshape(n, -1)


def _pooling() -> Array:
    """float32 (cells, positions): each row averages the positions of one cell; cells share the middle line."""
    steps = SIDE - PATCH + 1
    half = -(-steps // 2)
    cells = []
    for top in (0, steps - half):
        for left in (0, steps - half):
            cell = np.zeros((steps, steps), np.float32)
            cell[top : top + half, left : left + half] = 1 / half**2
            cells.append(cell.ravel())
    return np.stack(cells)


_POOLING = _pooling()


def random_patch_features(thumbnails: Thumbnails, is_usable: Array, *, num_filters: int | None = None) -> Array:
    """float16 (n, d) features of every thumbnail, in order; rows that are not usable (bool (n,)) are zeros.

    The first half of the columns is the same for a mirrored picture, the second half changes its sign. d is 48 colours
    and 8 x the number of filters: 8240 in all, and less of fewer than 8192 images or where 2 GiB do not suffice. The
    filters are patches of usable images, drawn by their number alone: the same thumbnails have the same features. 3 ms
    of one core for an image. Raises DataError when no image is usable or the side no multiple of 32.
    """
    if thumbnails.side % SIDE:
        raise DataError(f"Random-patch features need thumbnails with a side of a multiple of {SIDE} pixels, got "
                        f"{thumbnails.side}. Inspect the samples again: sightline audit STUDY")  # fmt: skip
    n = len(thumbnails)
    rows = np.flatnonzero(is_usable)
    if not len(rows):
        raise DataError("No image can be read, so there is nothing to make features of. See the reasons in "
                        "samples.parquet: is the copy complete?")  # fmt: skip
    # Of few images as many features as images are enough: ridge sees no more than their inner products.
    count = num_filters or 2 * int(np.clip(min(MAX_BYTES // (2 * 8 * n), len(rows) // 8), 64, NUM_FILTERS) // 2)
    filters = random_filters(thumbnails, rows, count)
    out = np.zeros((n, filters.num_features + 3 * GRID**2), np.float16)

    def fill(begin: int) -> None:
        end = min(begin + _READ, n)
        images = _shrunk(thumbnails.thumbnails(begin, end))
        for i in range(0, end - begin, _BLOCK):
            block = images[i : i + _BLOCK]
            out[begin + i : begin + i + len(block)] = _by_mirroring(filters.responses(block), _colours(block))

    blocks = range(0, n, _READ)
    for _ in track(in_order(fill, blocks), "features", len(blocks)):
        pass
    out[~np.asarray(is_usable, bool)] = 0
    return out


def random_filters(thumbnails: Thumbnails, rows: Array, count: int) -> Filters:
    """`count` filters, an even number, from random patches in `rows`: half of them, then their mirror images."""
    seen = _drawn(thumbnails, rows, max(min(_PATCHES, 32 * len(rows)), count))
    patches = _normalised(np.concatenate([seen, _mirrored(seen)]))  # so that the whitening knows no left and right
    mean = patches.mean(0, dtype=np.float64)
    centred = patches - mean
    variances, axes = np.linalg.eigh(centred.T @ centred / len(centred))
    whitening = (axes / np.sqrt(np.maximum(variances, 0) + _EPSILON)) @ axes.T
    chosen = centred[: count // 2] @ whitening
    chosen /= np.linalg.norm(chosen, axis=1, keepdims=True) + 1e-6
    half = chosen @ whitening
    weights = np.concatenate([half, _mirrored(half)]).T.astype(np.float32)
    offset = (mean @ weights).astype(np.float32)
    sample = centred[: min(len(centred), 20_000)] @ weights
    return Filters(weights, offset, float(THRESHOLD * sample.std()))


def _mirrored(patches: Array) -> Array:
    """Patches (n, 108) with left and right exchanged."""
    return patches.reshape(-1, PATCH, PATCH, 3)[:, :, ::-1].reshape(len(patches), -1)


def _by_mirroring(responses: Array, colours: Array) -> Array:
    """Means, then half differences, of each number and its partner in the mirrored picture."""
    n = len(responses)
    cells = responses.reshape(n, 2, POOL, POOL, 2, -1)  # sign, top or bottom, left or right, patch or mirror image
    own, partner = cells[..., 0, :], cells[:, :, :, ::-1, 1]
    grid = colours.reshape(n, GRID, GRID, 3)
    left, right = grid[:, :, : GRID // 2], grid[:, :, ::-1][:, :, : GRID // 2]
    parts = [own + partner, left + right, own - partner, left - right]
    return np.concatenate([p.reshape(n, -1) for p in parts], 1) / 2


def _drawn(thumbnails: Thumbnails, rows: Array, count: int) -> Array:
    """float32 (count, 108): patches of at most 4096 of the images."""
    images = min(len(rows), 4096)
    order = np.argsort(Draws(0, 0, rows.astype(np.uint64)).bits(0), kind="stable")[:images]
    chosen = np.sort(rows[order])
    which = Draws(0, 1, np.arange(count, dtype=np.uint64))
    image, top, left = (which.integers(s, k) for s, k in ((0, images), (1, SIDE - PATCH + 1), (2, SIDE - PATCH + 1)))
    out = np.empty((count, PATCH, PATCH, 3), np.float32)
    for block, begin in _blocks(thumbnails, chosen):
        inside = np.flatnonzero((image >= begin) & (image < begin + len(block)))
        windows = sliding_window_view(block, (PATCH, PATCH), (1, 2))
        out[inside] = windows[image[inside] - begin, top[inside], left[inside]].transpose(0, 2, 3, 1)
    return out.reshape(count, -1)


def _colours(images: Array) -> Array:
    """float32 (n, 3 x GRID²), 0 … 1: the mean colour of each cell of a grid."""
    cells = images.reshape(len(images), GRID, SIDE // GRID, GRID, SIDE // GRID, 3)
    return np.asarray(cells.mean((2, 4), dtype=np.float32) / 255).reshape(len(images), -1)


def _blocks(thumbnails: Thumbnails, rows: Array) -> Iterator[tuple[Array, int]]:
    """The thumbnails of sorted `rows` in blocks, and the number of each block's first among them."""
    begin = 0
    for start in range(0, len(thumbnails), 1024):
        inside = rows[(rows >= start) & (rows < start + 1024)]
        if len(inside):
            yield _shrunk(thumbnails.thumbnails(start, min(start + 1024, len(thumbnails))))[inside - start], begin
            begin += len(inside)


def _shrunk(images: Array) -> Array:
    """Images of SIDE pixels, each the mean of a square of pixels, float32 or as they were."""
    factor = images.shape[1] // SIDE
    if factor == 1:
        return images
    cells = images.reshape(len(images), SIDE, factor, SIDE, factor, 3)
    return np.asarray(cells.mean((2, 4), dtype=np.float32))


def _patches_of(images: Array) -> Array:
    """float32 (n x positions, 108), every patch of every image."""
    windows = sliding_window_view(np.asarray(images, np.float32), (PATCH, PATCH), (1, 2))
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, PATCH * PATCH * 3)


def _normalised(patches: Array) -> Array:
    """Patches of mean 0 and contrast 1, in place."""
    patches -= patches.mean(1, keepdims=True)
    patches /= np.sqrt(np.einsum("ij,ij->i", patches, patches) / patches.shape[1] + _CONTRAST)[:, None]
    return patches
