"""Tables of text and Parquet as columns of Python values: what a person's list of images may be written in."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sightline.artifacts import read_table
from sightline.errors import DataError

SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")
_LINES = (".jsonl", ".ndjson")


def names_of(file: Path) -> list[str]:
    """Columns of a table; none for some other text beside the images. Raises DataError for damaged Parquet."""
    if file.suffix.lower() == ".parquet":
        try:
            return list(pq.read_schema(file).names)
        except (pa.ArrowInvalid, OSError) as e:
            raise DataError(f"{file} is not a readable Parquet file ({e}). Fetch it again, or move it away.") from None
    try:
        if file.suffix.lower() in _LINES:
            # A value that is missing is often left out of its line.
            return list(dict.fromkeys(name for _, row in islice(_objects(file), 100) for name in row))
        return next(_csv_rows(file), [])
    except DataError:
        return []  # given by its own path, it is read and refused with the reason


def columns_of(file: Path) -> dict[str, list[Any]]:
    """Column → values, row by row. Raises DataError for a table that cannot be read."""
    if file.suffix.lower() == ".parquet":
        table = read_table(file)
        return {name: table[name].to_pylist() for name in table.column_names}
    return _of_lines(file) if file.suffix.lower() in _LINES else _of_csv(file)


def _of_lines(file: Path) -> dict[str, list[Any]]:
    rows = [row for _, row in _objects(file)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: [row.get(name) for row in rows] for name in names}


def _objects(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and object of each line of JSON, blank lines left out."""
    try:
        with file.open(encoding="utf-8-sig") as f:
            for number, line in enumerate(f, 1):
                if not line.strip():
                    continue
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise DataError(f"{file}: line {number} is a JSON {type(row).__name__}, wanted an object in each "
                                    'line, such as {"path": "a.jpg", "label": "cat"}.')  # fmt: skip
                yield number, row
    except UnicodeDecodeError as e:
        raise DataError(f"{file} is not UTF-8 text ({e.reason} at byte {e.start}). Save it as UTF-8.") from None
    except (json.JSONDecodeError, RecursionError) as e:
        raise DataError(f"{file}: line {number} is not JSON ({e}). Wanted one object in each line.") from None


def _of_csv(file: Path) -> dict[str, list[Any]]:
    rows = _csv_rows(file)
    names = next(rows, [])
    if len(set(names)) < len(names) or not any(names):
        raise DataError(f"{file}: the first line must name each column once, got {names}.")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise DataError(
                f"{file}: row {number} has {len(row)} fields, its header has {len(names)}. Quote fields that hold the "
                "delimiter."
            )
        for name, value in zip(names, row, strict=True):
            columns[name].append(value)
    return columns


def _csv_rows(file: Path) -> Iterator[list[str]]:
    """Header and rows of a text table, blank lines left out; every value stays text, so 007 keeps its zeros."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as f:
            first = f.readline()
            f.seek(0)
            delimiter = max(",\t;", key=first.count)
            yield from (row for row in csv.reader(f, delimiter=delimiter, strict=True) if row)
    except UnicodeDecodeError as e:
        raise DataError(f"{file} is not UTF-8 text ({e.reason} at byte {e.start}). Save it as UTF-8.") from None
    except csv.Error as e:
        raise DataError(f"{file} is not a readable CSV table: {e}.") from None
