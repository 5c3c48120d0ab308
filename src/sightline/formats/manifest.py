"""A table of text (CSV, JSON lines) or Parquet that lists image files, one row for each sample.

Beside path and label a row may say: the split, what ties it to others, its time, several labels, and the part of the
image that is the sample.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sightline.errors import DataError
from sightline.formats.columns import LABEL, PATH, SPLIT, find, groups_of, labels_of, need, splits_of, times_of
from sightline.formats.files import VIEWS, with_frames
from sightline.formats.listing import SPLIT_ORDER, Attributes, Format, Listing, split_of_file
from sightline.formats.lists import class_order, crop_key, crops_of, label_entries, label_lists
from sightline.formats.tables import SUFFIXES, columns_of, names_of


def is_at(path: Path) -> bool:
    """Whether `path` is a table by its name, or a folder with a table of paths and labels at its top."""
    if path.is_file():
        return path.suffix.lower() in SUFFIXES
    return path.is_dir() and bool(tables_in(path))


def read(path: Path, attributes: Attributes) -> Listing:
    """Samples of a manifest in row order. Several tables named train, val and test make one source."""
    files = [path] if path.is_file() else tables_in(path)
    folder = path.resolve() if path.is_dir() else path.resolve().parent
    listing = _listed(_parts(files, str(path), attributes), folder, folder.name if path.is_dir() else path.stem)
    _need_some_file(path, listing)
    return with_frames(listing, attributes.views)


def read_elsewhere(files: Sequence[Path], address: str, name: str, attributes: Attributes) -> Listing:
    """Samples of tables that were fetched from the folder at `address`, in which their paths are."""
    listing = _listed(_parts(files, address, attributes), files[0].resolve().parent, name)
    if "absolute" in listing.roots:
        raise DataError(f"{address}: the table names absolute paths; wanted paths relative to its own place.")
    return replace(listing, roots={"source": address})


def _parts(files: Sequence[Path], source: str, attributes: Attributes) -> list[_Part]:
    splits = [split_of_file(f.stem) for f in files]
    if len(files) > 1 and (None in splits or len(set(splits)) < len(splits)):
        raise DataError(f"{source} holds several tables ({', '.join(f.name for f in files)}). Give the path of one.")
    # A lone test.csv is somebody's whole data, not a test split.
    parts = [_Part(f, s if len(files) > 1 else None, attributes) for f, s in zip(files, splits, strict=True)]
    return sorted(parts, key=lambda p: SPLIT_ORDER.index(p.file_split))


def _listed(parts: Sequence[_Part], folder: Path, name: str) -> Listing:
    places = [_place(folder, p.paths[i], p, i) for p in parts for i in range(len(p.paths))]
    crops = [c for p in parts for c in p.crops or [None] * len(p.paths)]
    keys = [crop_key(path, crop) for (_, path), crop in zip(places, crops, strict=True)]
    _refuse_repeats(parts, keys)
    roots = {"source": str(folder)} | ({"absolute": "/"} if any(root == "absolute" for root, _ in places) else {})
    labels, classes, columns = _labels_of(parts)
    return Listing(
        layout="manifest", name=name, roots=roots, keys=keys,
        splits=[s for p in parts for s in p.splits], labels=labels, class_ids=classes[0], policy=classes[1],
        images={"root": [root for root, _ in places], "path": [path for _, path in places], "container": "file"},
        groups=_groups_of(parts, [path for _, path in places], crops),
        times=[t for p in parts for t in p.times or [None] * len(p.paths)] if any(p.times for p in parts) else None,
        columns=columns | ({"crop": crops} if any(crops) else {}),
        notes=tuple(dict.fromkeys(note for p in parts for note in p.notes)),
    )  # fmt: skip


FORMAT = Format(name="manifest", is_at=is_at, read=read, has_columns=True, views=VIEWS)


class _Part:
    """One table."""

    def __init__(self, file: Path, split: str | None, attributes: Attributes) -> None:
        self.file, self.file_split = file, split
        table, source = columns_of(file), str(file)
        names = list(table)
        path = need(names, PATH, "path of the image", source)
        label = find(names, LABEL) if split == "test" else need(names, LABEL, "label", source)
        split_column = find(names, SPLIT)
        self.paths = [str(p) if p is not None else "" for p in table[path]]
        if not self.paths:
            raise DataError(f"{file} has a header and no rows.")
        values: Sequence[Any] = table[label] if label else [None] * len(self.paths)
        self.lists = label_lists(values, label, source) if label else None
        self.labels = labels_of(values, source) if self.lists is None else [None] * len(self.paths)
        self.crops = crops_of(table, source)
        if split is None and split_column:
            self.splits = splits_of(table[split_column], source)
        else:
            self.splits = [split] * len(self.paths)
        self.groups, group_notes = groups_of(table, attributes, source)
        self.times, time_notes = times_of(table, attributes, source)
        taken = [f"path from the column {path!r}"] if path.lower() != PATH[0] else []
        taken += [f"label from the column {label!r}"] if label and label.lower() != LABEL[0] else []
        unlabelled = sum(v is None for v in self.labels if self.lists is None)
        unlabelled += sum(v is None for v in self.lists or ())
        taken += [f"{unlabelled} rows without a label in {file.name}"] if unlabelled else []
        self.notes = (*taken, *group_notes, *time_notes)


def _labels_of(
    parts: Sequence[_Part],
) -> tuple[list[str | None], tuple[tuple[str, ...], str | None], dict[str, Sequence[Any]]]:
    """Single labels, the classes' ids and order where the table fixes them, and the column `labels`."""
    single = [v for p in parts for v in p.labels]
    if all(p.lists is None for p in parts):
        return single, ((), None), {}
    lists = [v for p in parts for v in p.lists or [None if v is None else [v] for v in p.labels]]
    ids, policy = class_order({v for labels in lists for v in labels or ()})
    return [None] * len(lists), (ids, policy), {"labels": label_entries(lists, ids)}


def _groups_of(
    parts: Sequence[_Part], paths: Sequence[str], crops: Sequence[Any]
) -> list[list[tuple[str, str]]] | None:
    """What each sample must not be parted from: what the table says, and the other parts of its image."""
    if not any(p.groups for p in parts) and not any(crops):
        return None
    told = [g for p in parts for g in p.groups or [[] for _ in p.paths]]
    images = [[("image", path)] if any(crops) else [] for path in paths]
    return [[*a, *b] for a, b in zip(told, images, strict=True)]


def tables_in(folder: Path) -> list[Path]:
    """Tables at the top of a folder that name paths, as far as at least one also names labels."""
    named = (f for f in sorted(folder.iterdir()) if f.suffix.lower() in SUFFIXES and not f.name.startswith("."))
    tables = [f for f in named if f.is_file()]
    names = {f: names_of(f) for f in tables}
    with_paths = [f for f in tables if find(names[f], PATH)]
    return with_paths if any(find(names[f], LABEL) for f in with_paths) else []


def _place(folder: Path, path: str, part: _Part, i: int) -> tuple[str, str]:
    """Root alias and normalised POSIX path of a row."""
    named = path.strip()
    if not named:
        raise DataError(f"{part.file}: row {i + 1} has an empty path.")
    if named != path and not os.path.exists(folder / path):  # names may begin or end with a blank
        path = named
    if "://" in path:
        raise DataError(f"{part.file}: row {i + 1} names {path!r}. Addresses are not fetched; list files on disk.")
    path = posixpath.normpath(path.replace("\\", "/"))
    if not path.startswith("/"):
        return "source", path
    inside = Path(path).is_relative_to(folder)
    return ("source", Path(path).relative_to(folder).as_posix()) if inside else ("absolute", path.lstrip("/"))


def _refuse_repeats(parts: Sequence[_Part], keys: Sequence[str]) -> None:
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
                "the row that is right, or list all labels in one row of a column `labels` (a;b)."
            )
        raise DataError(f"{place}. The same image twice would count twice; remove one row.")


def _need_some_file(path: Path, listing: Listing) -> None:
    """Raise DataError when no listed file exists: then the paths mean something else than thought."""
    roots = {alias: Path(address) for alias, address in listing.roots.items()}
    places = [roots[root] / name for root, name in zip(listing.images["root"], listing.images["path"], strict=True)]
    if not any(os.path.exists(place) for place in places):  # Path.exists raises where a name is too long
        raise DataError(
            f"{path}: none of the {len(places)} listed files exists. The first was looked for at {places[0]}; paths "
            "are taken relative to the table's folder."
        )
