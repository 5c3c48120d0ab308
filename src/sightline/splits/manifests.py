"""Splits as a file for people and other tools: written as CSV, and read from CSV or Parquet that others made."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

from sightline.artifacts import read_table, write_bytes
from sightline.digests import sha256_file, short
from sightline.errors import DataError, SplitError
from sightline.samples import SCHEMA, SampleTable
from sightline.splits.official import carve_val
from sightline.splits.parts import SPLITS, TEST, TRAIN, VAL, Parts
from sightline.splits.request import FILE, Request
from sightline.splits.values import Splits

Array = np.ndarray[Any, Any]

WORDS = {"train": TRAIN, "training": TRAIN, "val": VAL, "valid": VAL, "validation": VAL, "dev": VAL, "test": TEST}
"""What a file may call a split → train | val | test; an empty cell leaves a sample out."""


def write_csv(splits: Splits, samples: SampleTable, path: Path) -> None:
    """Write sample_id (hex), key, split (empty: left out), reason, seed and samples (the table's digest), whole.

    What `split(samples, by=path)` reads. Raises DataError for splits of other samples.
    """
    if splits.samples_digest != samples.digest:
        raise DataError(f"The splits were made for other samples than {samples.name} holds now. Assign them again: "
                        "sightline split STUDY")  # fmt: skip
    n = len(samples)
    table = pa.table({
        "sample_id": [i.hex() for i in splits.table["sample_id"].to_pylist()], "key": samples.table["key"],
        "split": splits.table["split"], "reason": splits.table["reason"],
        "seed": pa.repeat(str(splits.how.get("seed", "")), n), "samples": pa.repeat(short(samples.digest), n),
    })  # fmt: skip
    sink = io.BytesIO()
    csv.write_csv(table, sink)
    write_bytes(Path(path), sink.getvalue())


def as_the_file_says(samples: SampleTable, request: Request) -> SampleTable:
    """The samples with the splits of the file that the request names in place of the official ones.

    Raises DataError when the file is not to be read or lacks the columns `split` and `key` or `sample_id`, SplitError
    for a sample that does not exist or has two rows, and for an unknown word in `split`.
    """
    path = Path(request.by)
    table = _read(path)
    column = next((name for name in ("sample_id", "key") if name in table.schema.names), None)
    if column is None or "split" not in table.schema.names:
        raise DataError(f"{path} has the columns {', '.join(table.schema.names)}; an assignment needs `split` and "
                        "`key` or `sample_id` (as `sightline split --csv FILE` writes them).")  # fmt: skip
    named, words = (table[name].cast(pa.string()).to_pylist() for name in (column, "split"))
    own = samples.column("key") if column == "key" else [i.hex() for i in samples.column("sample_id")]
    place = {name: row for row, name in enumerate(own)}
    splits: list[str | None] = [None] * len(samples)
    seen: set[str] = set()
    for name, word in zip(named, words, strict=True):
        if name in seen:
            raise SplitError(f"{path} has two rows for {name}. A sample is in one split; leave one of them out.")
        if name not in place:
            raise SplitError(f"{path} names {name!r}, which is no {column} of {samples.name} (such as {own[0]!r}). "
                             "Index the source that the file was made for.")  # fmt: skip
        if word and word.strip().lower() not in WORDS:
            raise SplitError(f"{path} puts {name} into {word!r}; a split is train, val or test, or empty: left out.")
        seen.add(name)
        splits[place[name]] = WORDS[word.strip().lower()] if word and word.strip() else None
    at = SCHEMA.get_field_index("split")
    changed = samples.table.set_column(at, SCHEMA.field(at), pa.array(splits, pa.string()).cast(SCHEMA.field(at).type))
    return replace(samples, table=changed)


def divide_by_file(samples: SampleTable, request: Request) -> Parts:
    """Parts as a file says, which `as_the_file_says` has put into the samples; val is carved where it was asked for."""
    path = Path(request.by)
    names = np.array(samples.column("split"), object)
    is_left = np.array([n is None for n in names.tolist()], bool)
    if is_left.all():
        raise SplitError(f"{path} assigns no sample that has a label. Name some of {samples.name} that have one.")
    parts = Parts.of(names, f"given by {path.name}").leave_out(is_left, f"in no split of {path.name}")
    given = {s: bool((names == s).any()) for s in SPLITS.tolist()}
    wants_val = bool(request.inner) or isinstance(request.val, int | float)
    if wants_val and given[VAL]:
        raise SplitError(f"{path} says what val is, so a share or inner folds for it have no effect. Leave them out, "
                         "or name those samples train.")  # fmt: skip
    if wants_val and (request.val_share or request.inner):
        parts = carve_val(samples, request, parts)
    how = {"val": FILE if given[VAL] else request.val_share if wants_val else 0.0,
           "test": FILE if given[TEST] else None, "file": path.name, "sha256": sha256_file(path)}  # fmt: skip
    return Parts(parts.names, parts.reasons, how)


def _read(path: Path) -> pa.Table:
    if not path.is_file():
        raise DataError(f"{path} does not exist. --by takes a method, or a CSV or Parquet file of keys and splits.")
    if path.suffix.lower() == ".parquet":
        table = read_table(path)
        if "sample_id" in table.schema.names and not pa.types.is_string(table["sample_id"].type):
            at = table.schema.get_field_index("sample_id")
            ids = [None if i is None else i.hex() for i in table["sample_id"].to_pylist()]
            table = table.set_column(at, "sample_id", pa.array(ids, pa.string()))
        return table
    try:
        names = csv.open_csv(path).schema.names
        options = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
        return csv.read_csv(path, convert_options=options)
    except pa.ArrowInvalid as e:
        raise DataError(f"{path} is not a readable CSV file ({e}). Save it as UTF-8 with a header.") from None
