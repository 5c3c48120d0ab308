"""Files written whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sightline.digests import plain
from sightline.errors import DataError, VersionError

ROWS = 65_536
"""Rows of a group: about 9 MB of sample metadata. Half and twice as many take the same space and time within 1 %."""

_ABOUT = "sightline"


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that replaces it, by one atomic rename, when the block ends without an error.

    A kill or a full disk leaves the former file as it was. Raises DataError naming the path when writing fails.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as f:
            os.fsync(f.fileno())
        temporary.replace(path)
    except OSError as e:
        raise DataError(f"Could not write {path}: {e.strerror or e}. Nothing was changed; free space or fix "
                        "permissions, then run the command again.") from e
    finally:
        with suppress(OSError):  # what went wrong above is what the person needs to hear
            temporary.unlink()


def sync_directory(path: Path) -> None:
    """See that the names in a directory are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole."""
    with written_whole(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented UTF-8 JSON, whole."""
    write_bytes(path, (json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Parsed JSON of a file. Raises DataError when the file is absent, cannot be read, or is not JSON."""
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path} does not exist.") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder; wanted a JSON file.") from None
    except OSError as e:
        raise DataError(f"{path} cannot be read: {e.strerror}.") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as e:
        raise DataError(f"{path} is not valid JSON ({e}). Restore the file, or make it again with its verb.") from None


def require_known(version: int, newest: int, what: object) -> None:
    """Raises VersionError naming `what` where its format is one that this version of Sightline does not know yet."""
    if version > newest:
        raise VersionError(f"{what} was written by a newer version of Sightline (format {version}, this one reads "
                           f"{newest}). Upgrade: pip install -U sightline")


def as_metadata(about: Mapping[str, Any]) -> dict[str, str]:
    """What a table says about itself, as metadata of its schema."""
    return {_ABOUT: json.dumps(about)}


def about_of(table: pa.Table) -> dict[str, Any]:
    """What `as_metadata` made part of a table; empty for a table of somebody else's."""
    try:
        about = json.loads((table.schema.metadata or {}).get(_ABOUT.encode(), b"{}"))
    except ValueError:
        return {}
    return about if isinstance(about, dict) else {}


def write_table(path: Path, table: pa.Table) -> None:
    """Write an Arrow table as zstd Parquet, whole; schema metadata is kept."""
    with table_written(path, table.schema) as writer:
        writer.write_table(table, row_group_size=ROWS)


@contextmanager
def table_written(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """A writer of zstd Parquet whose file is there, whole, when the block ends without an error.

    A table given to it becomes a row group, or several; `ROWS` fill one.
    """
    leaves = [leaf for f in schema for leaf in _leaves(f.name, f.type)]
    # Names, ids, hashes and sums hardly repeat: differences to the value before take 128 bytes of a row of ImageNet's
    # table where dictionaries take 152, and are written in two thirds of the time.
    encodings = {name: encoding for name, t in leaves if (encoding := _encoding(t)) is not None}
    repeating = [name for name, t in leaves if name not in encodings and not pa.types.is_fixed_size_binary(t)]
    with written_whole(path) as temporary, pq.ParquetWriter(
        temporary, schema, compression="zstd", use_dictionary=repeating, column_encoding=encodings
    ) as writer:
        yield writer


def _encoding(t: pa.DataType) -> str | None:
    if pa.types.is_string(t):
        return "DELTA_BYTE_ARRAY"
    return "DELTA_BINARY_PACKED" if pa.types.is_int64(t) else None


def _leaves(name: str, t: pa.DataType) -> Iterator[tuple[str, pa.DataType]]:
    """Parquet's columns of a field, by its names for them, and their types."""
    if pa.types.is_struct(t):
        for f in t:
            yield from _leaves(f"{name}.{f.name}", f.type)
    elif pa.types.is_map(t):
        yield from _leaves(f"{name}.key_value.key", t.key_type)
        yield from _leaves(f"{name}.key_value.value", t.item_type)
    elif pa.types.is_list(t) or pa.types.is_large_list(t):
        yield from _leaves(f"{name}.list.element", t.value_type)
    else:
        yield name, t


def read_table(path: Path) -> pa.Table:
    """The Arrow table of a Parquet file, with its metadata. Raises DataError when absent or damaged."""
    try:
        # pq.read_table would take a path's `key=value` folders as partitions; a file is a file here.
        with pq.ParquetFile(path) as f:
            # Dictionaries inside structs cannot be read over several row groups at once.
            parts = [f.read_row_group(i) for i in range(f.num_row_groups)]
            return pa.concat_tables(parts).unify_dictionaries() if len(parts) > 1 else f.read()
    except FileNotFoundError:
        raise DataError(f"{path} does not exist.") from None
    except (pa.ArrowInvalid, OSError) as e:
        raise DataError(f"{path} is not a readable Parquet file ({e}). Make it again with its verb.") from None
