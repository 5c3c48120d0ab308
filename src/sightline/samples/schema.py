"""The columns of a sample table."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

VERSION = 2
"""Version of the table's schema; a reader refuses a newer one."""


def _names() -> pa.DataType:
    return pa.dictionary(pa.int32(), pa.string())


IMAGE = pa.struct(
    [
        ("root", _names()),  # alias of a directory, so that the table can move with its images
        ("path", pa.string()),  # POSIX, relative to root
        ("container", _names()),  # see images.containers
        ("member", pa.string()),  # what a container calls it: column, archive member, key, dataset
        ("offset", pa.int64()),  # byte range of the payload inside the (uncompressed) container
        ("length", pa.int64()),
        ("row_group", pa.int32()),
        ("row", pa.int64()),  # row of a table or an array; in Parquet inside its row group; packed: image of its shard
        ("frame", pa.int32()),  # page of a TIFF, frame of a DICOM file; 0-based
        ("codec", _names()),  # sniffed from magic bytes; raw: see layout
        ("layout", _names()),  # raw: see images.raw
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("mode", _names()),
        ("bits", pa.int8()),
        ("exif_orientation", pa.int8()),
    ]
)
LABEL = pa.struct(
    [
        ("space", _names()),  # "" = the table's classes; another = one of its `spaces`
        ("id", pa.int32()),
        ("state", pa.int8()),  # 1 present · 0 not said (or partly there) · -1 verified absent
        ("score", pa.float32()),  # weight or confidence in [0, 1]; null = 1
        ("source", _names()),  # who says so: dataset | rater | real | model | caption | …
    ]
)
BOX = pa.struct(
    [
        ("space", _names()),
        ("id", pa.int32()),
        ("x0", pa.float32()), ("y0", pa.float32()), ("x1", pa.float32()), ("y1", pa.float32()),
        # pixels of the stored raster before any rotation, 0-based, half open
        ("track", pa.int32()),
        ("flags", pa.uint16()),  # bits: 0 crowd · 1 difficult · 2 truncated · 3 occluded · 4 interpolated · 5 group
    ]
)  # fmt: skip
PIXEL_SUMS = pa.struct(
    [
        ("num_pixels", pa.int64()),
        ("sums", pa.list_(pa.int64())),  # Σ x, one for each colour channel (1 or 3)
        ("squares", pa.list_(pa.int64())),  # Σ x²
    ]
)
SCHEMA = pa.schema(
    [
        pa.field("sample_id", pa.binary(16), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("ordinal", pa.int64(), nullable=False),
        pa.field("dataset", _names(), nullable=False),
        pa.field("split", _names()),  # the official split, or null; assigned splits live in splits.parquet
        pa.field("group_id", pa.string(), nullable=False),  # the unit that must not be split
        pa.field("groups", pa.list_(pa.struct([("kind", pa.string()), ("id", pa.string())]))),
        pa.field("time", pa.timestamp("us")),
        pa.field("image", IMAGE, nullable=False),
        pa.field("label", pa.int32()),  # class id; null = unlabelled, never -1
        pa.field("labels", pa.list_(LABEL)),  # beyond `label`: several classes, other spaces, other sources
        pa.field("crop", pa.list_(pa.float32())),  # x0, y0, x1, y1 of the part that is the sample; null: all of it
        pa.field("boxes", pa.list_(BOX)),
        pa.field("captions", pa.list_(pa.string())),
        pa.field("scalars", pa.map_(pa.string(), pa.float32())),  # valence, similarity, …
        pa.field("extra", pa.string()),  # JSON: what has no column (a question and its answers, a licence, an address)
        pa.field("status", _names(), nullable=False),  # ok | unreadable | dropped (in review; the row stays)
        pa.field("reason", pa.string()),  # why a sample is not ok
        # Payload bytes as the source stores them; null until the first full read. `convert` keeps it, whatever it makes
        # of the bytes: a test split is known by it, and looks at a converted one are looks at the same.
        pa.field("content_sha256", pa.binary(32)),
        pa.field("pixel_sha256", pa.binary(32)),  # decoded pixels, upright, with their shape and depth
        pa.field("pixel_sums", PIXEL_SUMS),  # exact integers: the statistics of any subset follow without reading
    ]
)


def sample_id_of(dataset: str, key: str) -> bytes:
    """16-byte id of a sample: a hash of the dataset's name ("" for one's own folder) and the source's own key."""
    return hashlib.sha256(f"sightline sample\0{dataset}\0{key}".encode()).digest()[:16]


def table_from_rows(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Arrow table of `SCHEMA` from rows that leave out what they do not know; `ordinal` is filled by position."""
    columns = {
        f.name: pa.array(range(len(rows)) if f.name == "ordinal" else [r.get(f.name) for r in rows], f.type)
        for f in SCHEMA
    }
    return pa.table(columns, schema=SCHEMA)


def upgraded(table: pa.Table) -> pa.Table:
    """A table of an older version with the columns and fields of this one, null where nobody knew of them."""
    n, known = len(table), set(table.schema.names)
    return pa.table([_as(table[f.name], f.type) if f.name in known else pa.nulls(n, f.type) for f in SCHEMA], SCHEMA)


def _as(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.Array:
    whole = column.combine_chunks()
    if whole.type == wanted:
        return whole
    if pa.types.is_list(wanted) and pa.types.is_struct(wanted.value_type) and whole.null_count < len(whole):
        return pa.ListArray.from_arrays(whole.offsets, _as(pa.chunked_array([whole.values]), wanted.value_type),
                                        mask=whole.is_null())  # fmt: skip
    if pa.types.is_list(wanted) and whole.null_count == len(whole):
        return pa.nulls(len(whole), wanted)
    if not pa.types.is_struct(wanted):
        return whole.cast(wanted)
    known = {f.name for f in whole.type}
    fields = [
        _as(pa.chunked_array([whole.field(f.name)]), f.type) if f.name in known else pa.nulls(len(whole), f.type)
        for f in wanted
    ]
    return pa.StructArray.from_arrays(fields, fields=list(wanted))
