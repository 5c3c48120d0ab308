"""The design matrix of a fit: standardized features of chosen rows, read in blocks, and their Gram matrix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sightline.errors import DataError
from sightline.parallel import in_order

Array = np.ndarray[Any, Any]

BLOCK = 1024
"""Rows that are made float32 at a time: 24 MB of 6144 features."""

_TILE = 1024
"""Columns of a tile of the Gram matrix, the unit of work of a thread."""


@dataclass(frozen=True, eq=False)
class Design:
    """Some rows of a feature matrix, centred and scaled when they are read. Make it with `of`."""

    features: Array
    """(all samples, d), any float type; rows outside `rows` are never touched."""
    rows: Array
    """int64 (n,): the rows that take part, in the order of all results."""
    mean: Array
    """float32 (d,): what is taken from every row."""
    factor: Array
    """float32 (d,): what the rest is multiplied by."""

    @classmethod
    def of(cls, features: Array, rows: Array) -> Design:
        """Rows with mean 0 and variance 1 in every column that varies, and 0 in the others.

        `features` (all samples, d) are of any float type, `rows` int64 (n,) are those that take part. Raises DataError
        for fewer than two rows, or a value that is not finite.
        """
        n, width = len(rows), features.shape[1]
        if n < 2:
            raise DataError(f"A fit needs at least two samples with features, got {n}.")
        sums, squares = np.zeros(width), np.zeros(width)
        for begin in range(0, n, BLOCK):
            block = features[rows[begin : begin + BLOCK]].astype(np.float64)
            sums += block.sum(0)
            squares += np.einsum("ij,ij->j", block, block)
        mean, variance = sums / n, np.maximum(squares / n - (sums / n) ** 2, 0)
        if not np.isfinite(squares).all():
            raise DataError("Features hold a value that is not finite, or too large. Check the embeddings.")
        varies = variance > 1e-10 * (squares / n)  # less is the rounding of a constant
        factor = np.where(varies, 1 / np.sqrt(np.where(varies, variance, 1)), 0)
        return cls(features, np.asarray(rows, np.int64), mean.astype(np.float32), factor.astype(np.float32))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.features.shape[1])

    def block(self, which: slice | Array) -> Array:
        """float32 (k, d): some of the rows, numbered as in `rows`."""
        return np.asarray((self.features[self.rows[which]].astype(np.float32) - self.mean) * self.factor)

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """All rows in blocks float32 (k, d), in order, each with its place among them."""
        for begin in range(0, len(self), BLOCK):
            at = slice(begin, min(begin + BLOCK, len(self)))
            yield at, self.block(at)

    @cached_property
    def gram(self) -> Array:
        """float32 (d, d): the inner products of the columns."""
        return self.gram_of(np.arange(len(self)))

    def gram_of(self, which: Array) -> Array:
        """float32 (d, d): the inner products of the columns over some of the rows, int64, numbered as in `rows`."""
        out = np.zeros((self.width, self.width), np.float32)
        starts = range(0, self.width, _TILE)
        tiles = [(i, j) for i in starts for j in starts if j <= i]
        for begin in range(0, len(which), BLOCK):
            block = self.block(which[begin : begin + BLOCK])

            def add(tile: int, block: Array = block) -> None:
                i, j = tiles[tile]
                out[i : i + _TILE, j : j + _TILE] += block[:, i : i + _TILE].T @ block[:, j : j + _TILE]

            list(in_order(add, range(len(tiles))))
        for i, j in tiles:
            if i != j:
                out[j : j + _TILE, i : i + _TILE] = out[i : i + _TILE, j : j + _TILE].T
        return out

    def compacted(self) -> Design:
        """A design with the same inner products between rows and no more columns than rows.

        Ridge regression sees inner products alone, so its answers are the same; 6144 features of 500 images then cost
        no more than 500.
        """
        n = len(self)
        if n >= self.width:
            return self
        whole = self.block(slice(0, n)).astype(np.float64)
        kernel = whole @ whole.T
        kernel[np.diag_indices(n)] += 1e-9 * max(float(np.trace(kernel)) / n, 1e-12)  # copies make it singular
        factor = np.linalg.cholesky(kernel).astype(np.float32)
        return Design(factor, np.arange(n), np.zeros(n, np.float32), np.ones(n, np.float32))
