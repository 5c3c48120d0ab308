"""Embeddings as a table: a person's own features of the samples, or what `predict --features` wrote of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sightline.artifacts import about_of, as_metadata, read_table, write_table
from sightline.errors import DataError
from sightline.samples import SampleTable

Array = np.ndarray[Any, Any]

COLUMN = "features"


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Features of a table's samples, in its order."""

    values: Array
    """float32 (n, d); a sample that the file did not name has a row of NaN."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """What made them, where the file says so: digests of the weights and of the samples these were fitted to."""


def read_embeddings(path: Path, samples: SampleTable) -> Embeddings:
    """The features in a file: .npy in table order, or Parquet with `sample_id` and a list of numbers for each.

    The list is the column `features`, else the only list column. Sample ids are 16 bytes or hex. Raises DataError for
    another kind of file, samples that the table does not have, and values that are not finite.
    """
    if path.suffix == ".npy":
        return Embeddings(_of_array(path, samples))
    table = read_table(path)
    if "sample_id" not in table.schema.names:
        raise DataError(f"{path} has no column sample_id, but {', '.join(table.schema.names)}. Give a row for each "
                        "sample: its id and its features, or a .npy in the order of samples.parquet.")  # fmt: skip
    values = _matrix(path, table)
    ids = _ids(path, table)
    unknown = sorted({*ids}.difference(samples.column("sample_id")))
    if unknown:
        raise DataError(f"{path} has features of {len(unknown):,} samples that {samples.name} does not have, e.g. "
                        f"{unknown[0].hex()}. Make them of this study's samples.")  # fmt: skip
    positions = samples.positions(ids)
    if len(np.unique(positions)) != len(positions):
        raise DataError(f"{path} names a sample twice. Give one row for each.")
    out = np.full((len(samples), values.shape[1]), np.nan, np.float32)
    out[positions] = values
    return Embeddings(out, about_of(table).get("meta", {}))


def write_embeddings(path: Path, ids: Sequence[bytes], values: Array, meta: Mapping[str, Any]) -> None:
    """Write features (n, d) of samples as Parquet, whole: columns sample_id and features, `meta` in the metadata."""
    flat = pa.array(np.ascontiguousarray(values, np.float32).ravel())
    column = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    table = pa.table({"sample_id": pa.array(ids, pa.binary(16)), COLUMN: column})
    write_table(path, table.replace_schema_metadata(as_metadata({"meta": dict(meta)})))


def _of_array(path: Path, samples: SampleTable) -> Array:
    try:
        values = np.load(path, allow_pickle=False, mmap_mode="r")
    except OSError as e:
        raise DataError(f"{path} cannot be read ({e.strerror or e}). Give a .npy of numbers.") from None
    except (ValueError, EOFError):  # numpy's advice is to load it unsafely
        raise DataError(f"{path} is not a readable .npy of numbers. Write one with numpy.save.") from None
    if values.ndim != 2 or not values.shape[1] or len(values) != len(samples) or values.dtype.kind not in "fiu":
        raise DataError(f"{path} holds {values.dtype} of shape {values.shape}; embeddings are numbers of shape "
                        f"({len(samples)}, d), a row for each sample in the order of samples.parquet.")  # fmt: skip
    with np.errstate(over="ignore"):
        return _finite(path, np.asarray(values, np.float32))


def _matrix(path: Path, table: pa.Table) -> Array:
    lists = [f.name for f in table.schema if _is_list(f.type)]
    name = COLUMN if COLUMN in lists else lists[0] if len(lists) == 1 else None
    if name is None:
        raise DataError(f"{path} needs one column of lists of numbers, best called {COLUMN!r}; it has "
                        f"{', '.join(lists) or 'none'}.")  # fmt: skip
    column = table[name].combine_chunks()
    if column.null_count:
        raise DataError(f"{path}: {column.null_count} rows of {name!r} are null. Leave such samples out of the file.")
    with np.errstate(over="ignore"):  # what overflows is not finite, and told
        flat = np.asarray(column.flatten().to_numpy(zero_copy_only=False), np.float32)
    width = len(flat) // max(1, len(column))
    if not pa.types.is_fixed_size_list(column.type) and (np.diff(column.offsets.to_numpy()) != width).any():
        raise DataError(f"{path}: the lists of {name!r} differ in length. Every sample has the same features.")
    if not width:
        raise DataError(f"{path} holds no features.")
    return _finite(path, flat.reshape(-1, width))


def _is_list(t: pa.DataType) -> bool:
    holds = pa.types.is_list(t) or pa.types.is_large_list(t) or pa.types.is_fixed_size_list(t)
    return bool(holds and (pa.types.is_floating(t.value_type) or pa.types.is_integer(t.value_type)))


def _ids(path: Path, table: pa.Table) -> list[bytes]:
    try:
        ids = [bytes.fromhex(i) if isinstance(i, str) else bytes(memoryview(i)) for i in table["sample_id"].to_pylist()]
    except (TypeError, ValueError):
        ids = [b""]
    if {len(i) for i in ids} - {16}:
        raise DataError(f"{path}: sample_id must be 16 bytes or 32 hex digits.")
    return ids


def _finite(path: Path, values: Array) -> Array:
    bad = len(values) - int(np.isfinite(values).all(1).sum())
    if bad:
        raise DataError(f"{path}: {bad:,} of {len(values):,} rows hold values that are not finite. Leave such samples "
                        "out of a Parquet file, or repair them.")  # fmt: skip
    return values
