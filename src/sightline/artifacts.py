"""Files written whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sightline.digests import plain
from sightline.errors import DataError


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


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole."""
    with written_whole(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented UTF-8 JSON, whole."""
    write_bytes(path, (json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Parsed JSON of a file. Raises DataError when the file is absent or is not JSON."""
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path} does not exist.") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as e:
        raise DataError(f"{path} is not valid JSON ({e}). Restore the file, or make it again with its verb.") from None


def write_table(path: Path, table: pa.Table) -> None:
    """Write an Arrow table as zstd Parquet, whole; schema metadata is kept."""
    with written_whole(path) as temporary:
        # 131,072 rows are about 18 MB of sample metadata: small enough for parallel scans.
        pq.write_table(table, temporary, compression="zstd", row_group_size=131_072)


def read_table(path: Path) -> pa.Table:
    """The Arrow table of a Parquet file, with its metadata. Raises DataError when absent or damaged."""
    try:
        # pq.read_table would take a path's `key=value` folders as partitions; a file is a file here.
        with pq.ParquetFile(path) as f:
            return f.read()
    except FileNotFoundError:
        raise DataError(f"{path} does not exist.") from None
    except (pa.ArrowInvalid, OSError) as e:
        raise DataError(f"{path} is not a readable Parquet file ({e}). Make it again with its verb.") from None
