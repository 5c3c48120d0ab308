"""Where the rows and thumbnails of an inspection go while the pass runs: memory, or a Parquet file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sightline.artifacts import written_whole
from sightline.inspection.schema import VERSION, stored_schema
from sightline.inspection.values import ABOUT, identity_of
from sightline.samples import SampleTable

ROWS_PER_GROUP = 4096
"""Thumbnails that are read together: 50 MB of the large ones."""

Pictures = Sequence[np.ndarray[Any, Any] | None]


class Store(Protocol):
    """Takes blocks of rows in table order."""

    def add(self, table: pa.Table, thumbnails: Pictures) -> None:
        """Put some rows away."""

    def finish(self, samples: SampleTable) -> pa.ChunkedArray | Path:
        """All thumbnails, or the file with them; it remembers that they are of these samples."""


@contextmanager
def storing(to: Path | None, side: int) -> Iterator[Store]:
    """A store in memory, or in the file `to`, which replaces the former one when the block ends without an error."""
    if to is None:
        yield _Memory(side)
        return
    with written_whole(to) as temporary:
        # Photographs do not compress; what does (digits, scans) does so at the lowest level too.
        schema = stored_schema(side)
        texts = [f.name for f in schema if pa.types.is_string(f.type)]
        with pq.ParquetWriter(
            temporary, schema, compression="zstd", compression_level=1, use_dictionary=texts
        ) as writer:
            yield _File(writer, to, side)


def _packed(thumbnails: Pictures, side: int) -> pa.Array:
    return pa.array([None if t is None else t.tobytes() for t in thumbnails], pa.binary(3 * side * side))


class _Memory:
    def __init__(self, side: int) -> None:
        self._side = side
        self._chunks: list[pa.Array] = []

    def add(self, table: pa.Table, thumbnails: Pictures) -> None:
        self._chunks.append(_packed(thumbnails, self._side))

    def finish(self, samples: SampleTable) -> pa.ChunkedArray:
        return pa.chunked_array(self._chunks, pa.binary(3 * self._side**2))


class _File:
    def __init__(self, writer: pq.ParquetWriter, path: Path, side: int) -> None:
        self._writer, self._path, self._side = writer, path, side
        self._waiting: list[pa.Table] = []

    def add(self, table: pa.Table, thumbnails: Pictures) -> None:
        self._waiting.append(table.append_column("thumbnail", _packed(thumbnails, self._side)))
        if sum(map(len, self._waiting)) >= ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting), row_group_size=ROWS_PER_GROUP)
            self._waiting = []

    def finish(self, samples: SampleTable) -> Path:
        self._flush()
        about = {"version": VERSION, "side": self._side, "samples": identity_of(samples)}
        self._writer.add_key_value_metadata({ABOUT: json.dumps(about)})
        return self._path
