"""Digests: the sha256 that ties a number to what made it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SHORT = 12
"""Hex digits shown to people; artifacts keep all 64."""
CHUNK = 65_536
"""Rows whose values are hashed together."""


def sha256_file(path: Path) -> str:
    """sha256 of a file's bytes, hex."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def canonical_json(value: Any) -> str:
    """JSON with one spelling for equal values: sorted keys, no spaces, no NaN; dataclasses become objects."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def plain(value: Any) -> Any:
    """`value` as JSON types: dataclasses to dicts (with their type's name where a field may hold several types)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return value.as_posix()
    return value


def digest_of(value: Any) -> str:
    """sha256 of the canonical JSON of a value, hex."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def digest_of_rows(table: pa.Table) -> str:
    """sha256 of a table's values in row order, hex.

    Independent of chunking, dictionary codes and file encoding: columns are decoded to their value types and
    hashed through one Arrow IPC stream with a fixed chunk size.
    """
    plain_types = _plain_schema(table.schema)
    h = hashlib.sha256(_title(plain_types))
    for name in table.column_names:
        for start in range(0, table.num_rows, CHUNK):
            # Row-wise JSON would be canonical too, but took 40x the time at 60,000 rows.
            _update(h, _decoded(table[name].slice(start, CHUNK), plain_types.field(name).type))
    return h.hexdigest()


class RowsDigest:
    """The digest of a table that comes in pieces. Columns are hashed one after the other: until then they are files.

    To be closed, as by `with`.
    """

    def __init__(self, schema: pa.Schema, folder: Path) -> None:
        self._schema = _plain_schema(schema)
        self._files = {name: tempfile.TemporaryFile(dir=folder) for name in self._schema.names}  # noqa: SIM115
        self._rest = self._schema.empty_table()

    def __enter__(self) -> RowsDigest:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def add(self, rows: pa.Table) -> None:
        """Take the next rows."""
        rows = pa.concat_tables([self._rest, rows.select(self._schema.names).cast(self._schema)])
        whole = rows.num_rows - rows.num_rows % CHUNK
        self._write(rows.slice(0, whole))
        self._rest = rows.slice(whole) if whole < rows.num_rows else self._schema.empty_table()

    def _write(self, rows: pa.Table) -> None:
        for name, file in self._files.items():
            for start in range(0, rows.num_rows, CHUNK):
                _update(_Written(file), rows[name].slice(start, CHUNK).combine_chunks())

    def hexdigest(self, names: Sequence[str]) -> str:
        """`digest_of_rows` of some columns of all rows. Nothing can be added after it."""
        self._write(self._rest)
        self._rest = self._rest.slice(0, 0)
        h = hashlib.sha256(_title(pa.schema([self._schema.field(name) for name in names])))
        for name in names:
            file = self._files[name]
            file.seek(0)
            while data := file.read(1 << 20):
                h.update(data)
        return h.hexdigest()


@dataclasses.dataclass(frozen=True, slots=True)
class _Written:
    """A file in the place of a hash."""

    file: IO[bytes]

    def update(self, data: bytes) -> None:
        self.file.write(data)


def _plain_schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field(f.name, _value_type(f.type)) for f in schema])


def _title(schema: pa.Schema) -> bytes:
    return str([(f.name, str(f.type)) for f in schema]).encode()


def _decoded(column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    return column.cast(kind).combine_chunks()


def _value_type(t: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(t):
        return _value_type(t.value_type)
    if pa.types.is_struct(t):
        return pa.struct([pa.field(f.name, _value_type(f.type)) for f in t])
    if pa.types.is_list(t):
        return pa.list_(pa.field("item", _value_type(t.value_type)))
    return t


def _update(h: Any, array: pa.Array | pa.ChunkedArray) -> None:
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    h.update(np.packbits(np.asarray(array.is_valid().to_numpy(zero_copy_only=False), bool)).tobytes())
    t = array.type
    if pa.types.is_struct(t):
        for i in range(t.num_fields):
            _update(h, array.field(i))
    elif pa.types.is_list(t):
        lengths = np.asarray(pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False))
        h.update(lengths.astype("<i4").tobytes())
        _update(h, array.flatten())
    elif pa.types.is_string(t) or pa.types.is_binary(t):
        lengths = pc.fill_null(pc.binary_length(array), 0)
        h.update(np.asarray(lengths.to_numpy(zero_copy_only=False)).astype("<i4").tobytes())
        h.update(b"".join(v.encode() if isinstance(v, str) else v for v in array.to_pylist() if v is not None))
    elif pa.types.is_fixed_size_binary(t):
        h.update(b"".join(v for v in array.to_pylist() if v is not None))
    elif pa.types.is_fixed_size_list(t):
        _update(h, array.flatten())
    else:
        if pa.types.is_timestamp(t):
            array = array.cast(pa.int64())
        elif pa.types.is_boolean(t):
            array = array.cast(pa.uint8())
        values = np.asarray(array.drop_null().to_numpy(zero_copy_only=False))
        h.update(values.astype(values.dtype.newbyteorder("<")).tobytes())


def short(digest: str) -> str:
    """The first digits of a hex digest, for people."""
    return digest[:SHORT]
