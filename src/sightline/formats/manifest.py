"""A CSV or Parquet table that lists image files, one row for each sample."""

from __future__ import annotations

import csv
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sightline.artifacts import read_table
from sightline.errors import DataError
from sightline.formats.columns import LABEL, PATH, SPLIT, find, groups_of, labels_of, need, splits_of, times_of
from sightline.formats.listing import SPLIT_ORDER, Attributes, Format, Listing, split_of_file

SUFFIXES = (".csv", ".tsv", ".parquet")


def is_at(path: Path) -> bool:
    """Whether `path` is a table by its name, or a folder with a table of paths and labels at its top."""
    if path.is_file():
        return path.suffix.lower() in SUFFIXES
    return path.is_dir() and bool(_tables_in(path))


def read(path: Path, attributes: Attributes) -> Listing:
    """Samples of a manifest in row order. Several tables named train, val and test make one source."""
    files = [path] if path.is_file() else _tables_in(path)
    splits = [split_of_file(f.stem) for f in files]
    if len(files) > 1 and (None in splits or len(set(splits)) < len(splits)):
        raise DataError(f"{path} holds several tables ({', '.join(f.name for f in files)}). Give the path of one.")
    # A lone test.csv is somebody's whole data, not a test split.
    parts = [_Part(f, s if len(files) > 1 else None, attributes) for f, s in zip(files, splits, strict=True)]
    parts.sort(key=lambda p: SPLIT_ORDER.index(p.file_split))
    folder = path.resolve() if path.is_dir() else path.resolve().parent
    places = [_place(folder, p.paths[i], p, i) for p in parts for i in range(len(p.paths))]
    _refuse_repeats(parts, [key for _, key in places])
    roots = {"source": str(folder)} | ({"absolute": "/"} if any(root == "absolute" for root, _ in places) else {})
    _need_some_file(path, roots, places)
    has_groups, has_times = any(p.groups for p in parts), any(p.times for p in parts)
    return Listing(
        layout="manifest", name=folder.name if path.is_dir() else path.stem, roots=roots,
        keys=[key for _, key in places], splits=[s for p in parts for s in p.splits],
        labels=[v for p in parts for v in p.labels],
        images={"root": [root for root, _ in places], "path": [key for _, key in places], "container": "file"},
        groups=[g for p in parts for g in p.groups or [[] for _ in p.paths]] if has_groups else None,
        times=[t for p in parts for t in p.times or [None] * len(p.paths)] if has_times else None,
        notes=tuple(dict.fromkeys(note for p in parts for note in p.notes)),
    )  # fmt: skip


FORMAT = Format(name="manifest", is_at=is_at, read=read, has_columns=True)


class _Part:
    """One table."""

    def __init__(self, file: Path, split: str | None, attributes: Attributes) -> None:
        self.file, self.file_split = file, split
        table, source = _read(file), str(file)
        names = list(table)
        path = need(names, PATH, "path of the image", source)
        label = find(names, LABEL) if split == "test" else need(names, LABEL, "label", source)
        split_column = find(names, SPLIT)
        self.paths = [str(p).strip() if p is not None else "" for p in table[path]]
        if not self.paths:
            raise DataError(f"{file} has a header and no rows.")
        self.labels = labels_of(table[label], source) if label else [None] * len(self.paths)
        if split is None and split_column:
            self.splits = splits_of(table[split_column], source)
        else:
            self.splits = [split] * len(self.paths)
        self.groups, group_notes = groups_of(table, attributes, source)
        self.times, time_notes = times_of(table, attributes, source)
        taken = [f"path from the column {path!r}"] if path.lower() != PATH[0] else []
        taken += [f"label from the column {label!r}"] if label and label.lower() != LABEL[0] else []
        unlabelled = sum(v is None for v in self.labels)
        taken += [f"{unlabelled} rows without a label in {file.name}"] if unlabelled else []
        self.notes = (*taken, *group_notes, *time_notes)

def _tables_in(folder: Path) -> list[Path]:
    """Tables at the top of a folder that name paths, as far as at least one also names labels."""
    named = (f for f in sorted(folder.iterdir()) if f.suffix.lower() in SUFFIXES and not f.name.startswith("."))
    tables = [f for f in named if f.is_file()]
    names = {f: _names(f) for f in tables}
    with_paths = [f for f in tables if find(names[f], PATH)]
    return with_paths if any(find(names[f], LABEL) for f in with_paths) else []


def _names(file: Path) -> list[str]:
    if file.suffix.lower() == ".parquet":
        try:
            return list(pq.read_schema(file).names)
        except (pa.ArrowInvalid, OSError) as e:
            raise DataError(f"{file} is not a readable Parquet file ({e}). Fetch it again, or move it away.") from None
    try:
        return next(_csv_rows(file), [])
    except DataError:
        return []  # some other text beside the images; given by its own path, it is read and refused with the reason


def _read(file: Path) -> dict[str, list[Any]]:
    if file.suffix.lower() == ".parquet":
        table = read_table(file)
        return {name: table[name].to_pylist() for name in table.column_names}
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


def _place(folder: Path, path: str, part: _Part, i: int) -> tuple[str, str]:
    """Root alias and normalised POSIX path of a row."""
    if not path:
        raise DataError(f"{part.file}: row {i + 1} has an empty path.")
    if "://" in path:
        raise DataError(f"{part.file}: row {i + 1} names {path!r}. Addresses are not fetched; list files on disk.")
    path = posixpath.normpath(path.replace("\\", "/"))
    if not path.startswith("/"):
        return "source", path
    inside = Path(path).is_relative_to(folder)
    return ("source", Path(path).relative_to(folder).as_posix()) if inside else ("absolute", path.lstrip("/"))


def _refuse_repeats(parts: list[_Part], keys: list[str]) -> None:
    if len(set(keys)) == len(keys):
        return
    seen: dict[str, tuple[_Part, int]] = {}
    rows = [(p, i) for p in parts for i in range(len(p.paths))]
    for key, (part, i) in zip(keys, rows, strict=True):
        if key not in seen:
            seen[key] = part, i
            continue
        other, j = seen[key]
        place = f"{part.file}: row {i + 1} and {other.file.name} row {j + 1} both name {key!r}"
        if part.labels[i] != other.labels[j]:
            raise DataError(
                f"{place}, with the labels {part.labels[i]!r} and {other.labels[j]!r}. One image has one label; keep "
                "the row that is right."
            )
        raise DataError(f"{place}. The same image twice would count twice; remove one row.")


def _need_some_file(path: Path, roots: dict[str, str], places: list[tuple[str, str]]) -> None:
    """Raise DataError when no listed file exists: then the paths mean something else than thought."""
    if not any((Path(roots[root]) / key).exists() for root, key in places):
        root, key = places[0]
        raise DataError(
            f"{path}: none of the {len(places)} listed files exists. The first was looked for at "
            f"{Path(roots[root]) / key}; paths are taken relative to the table's folder."
        )
