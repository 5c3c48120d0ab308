"""The small pictures of a table's images, in memory or in a file of which only the wanted part is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Thumbnails:
    """Pictures of one size by row; a row without a picture is black."""

    side: int
    kept: pa.ChunkedArray | Path
    """A column of side × side × 3 bytes, or the Parquet file whose column `thumbnail` that is."""
    rows: Array | None = None
    """Which rows of the column these are, int64; None: all of them."""

    def take(self, rows: Array) -> Thumbnails:
        """The pictures of some rows, in that order."""
        return replace(self, rows=rows if self.rows is None else self.rows[rows])

    def between(self, start: int, stop: int) -> Array:
        """Pictures of rows `start` to `stop`, uint8 [n, side, side, 3]."""
        if self.rows is not None:
            return self._gathered(self.rows[start:stop])
        return self._read(start, stop)

    def of(self, rows: Array) -> Array:
        """Pictures of the given rows, in their order; each block of the column is read once."""
        return self._gathered(rows if self.rows is None else self.rows[rows])

    def _gathered(self, wanted: Array) -> Array:
        out = np.zeros((len(wanted), self.side, self.side, 3), np.uint8)
        block = np.searchsorted(self._starts, wanted, "right") - 1
        order = np.argsort(block, kind="stable")
        edges = np.flatnonzero(np.diff(block[order])) + 1
        for here in np.split(order, edges) if len(wanted) else ():
            low, high = int(wanted[here].min()), int(wanted[here].max()) + 1
            out[here] = self._read(low, high)[wanted[here] - low]
        return out

    def _read(self, start: int, stop: int) -> Array:
        if start >= stop:
            return np.zeros((0, self.side, self.side, 3), np.uint8)
        parts = [self._unpacked(c) for c in self._chunks(start, stop)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    @cached_property
    def _starts(self) -> Array:
        """First row of each block that is read in one piece."""
        if isinstance(self.kept, Path):
            with pq.ParquetFile(self.kept) as file:
                sizes = [file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)]
        else:
            sizes = [len(chunk) for chunk in self.kept.chunks]
        return np.cumsum([0, *sizes[:-1]]).astype(np.int64)

    def _chunks(self, start: int, stop: int) -> Iterator[pa.Array]:
        if not isinstance(self.kept, Path):
            yield from self.kept.slice(start, stop - start).chunks
            return
        first, last = (int(np.searchsorted(self._starts, i, "right")) - 1 for i in (start, stop - 1))
        with pq.ParquetFile(self.kept) as file:
            for g in range(first, last + 1):
                column = file.read_row_group(g, columns=["thumbnail"])["thumbnail"].combine_chunks()
                low = max(start - int(self._starts[g]), 0)
                yield column.slice(low, min(stop - int(self._starts[g]), len(column)) - low)

    def _unpacked(self, chunk: pa.Array) -> Array:
        size = 3 * self.side * self.side
        shape = (len(chunk), self.side, self.side, 3)
        if chunk.null_count == len(chunk):
            return np.zeros(shape, np.uint8)
        pictures = np.frombuffer(chunk.buffers()[1], np.uint8, len(chunk) * size, chunk.offset * size).reshape(shape)
        if chunk.null_count:
            pictures = pictures.copy()
            pictures[chunk.is_null().to_numpy(zero_copy_only=False)] = 0
        return pictures
