"""Encoded images in a column of Parquet files."""

from __future__ import annotations

import threading
from collections import OrderedDict

import pyarrow as pa
import pyarrow.parquet as pq

from sightline.errors import DecodeError
from sightline.images.containers import Reference

CACHE_BYTES = 2 << 30
"""Row groups of encoded images kept in memory; beyond it the least recently used goes."""


class Parquet:
    """Bytes of a row, by `member` (the column, `image.bytes`), `row_group`, and `row` inside it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, pq.ParquetFile] = {}
        self._groups: OrderedDict[tuple[str, str, int], pa.Array] = OrderedDict()
        self._groups_bytes = 0

    def payload(self, reference: Reference) -> bytes:
        """The bytes of one row. Raises DecodeError for a damaged file and an empty row."""
        assert reference.member is not None
        assert reference.row_group is not None
        key = (reference.path, reference.member, reference.row_group)
        with self._lock:
            values = self._groups.get(key)
            if values is None:
                values = self._load(*key)
                self._groups[key] = values
                self._groups_bytes += values.nbytes
                while self._groups_bytes > CACHE_BYTES and len(self._groups) > 1:
                    self._groups_bytes -= self._groups.popitem(last=False)[1].nbytes
            else:
                self._groups.move_to_end(key)
        data = values[reference.row].as_py()
        if data is None:
            raise DecodeError("no bytes in this row")
        return bytes(data)

    def _load(self, path: str, column: str, group: int) -> pa.Array:
        try:
            if path not in self._files:
                self._files[path] = pq.ParquetFile(path)
            table = self._files[path].read_row_group(group, columns=[column])
        except pa.ArrowInvalid as e:
            raise DecodeError(f"damaged Parquet file: {e}") from None
        values = table.column(0).combine_chunks()
        for name in column.split(".")[1:]:
            values = values.field(name)
        return values
