"""Records with named values, put together as a listing: what the layouts of shards, arrays and databases share."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sightline.errors import DataError
from sightline.formats.class_tree import is_folder, is_hidden
from sightline.formats.columns import SPLIT, Columns, find, groups_of, labels_of, splits_of, times_of
from sightline.formats.listing import SPLIT_ORDER, Attributes, Listing, split_of

KEY = ("key", "__key__", "image/filename", "filename", "file_name", "path", "name", "id", "image_id")
"""Columns whose values name a sample, where they are unique."""


@dataclass(frozen=True, kw_only=True)
class Records:
    """What one file of a source holds, in the file's order; sequences run parallel."""

    source: str
    """The file, for messages."""
    split: str | None
    """What the names of file and folder say."""
    images: Mapping[str, Any]
    """Fields of `samples.IMAGE`: a list with one value for each record, or one value for all."""
    columns: Columns = field(default_factory=dict)
    """Values beside the image, by name: label, key, groups, time."""
    label: str | None
    """The column with the labels; None = there are none."""
    reasons: Sequence[str | None]
    """Why a record cannot be read; None = it can."""


def listing_of(
    layout: str, place: Path, parts: Sequence[Records], attributes: Attributes, class_names: Sequence[str] = ()
) -> Listing:
    """The samples of all files: train, then val, then test, each in file and record order.

    `place` is the folder that paths are relative to, or the one file. `class_names` are what integer labels count;
    they become the native ids.
    """
    parts = sorted(parts, key=lambda p: SPLIT_ORDER.index(p.split))
    splits = [s for p in parts for s in _splits_of(p)]
    if None in splits and len(set(splits)) > 1:
        odd = next(p.source for p in parts if p.split is None)
        raise DataError(f"{odd} names no split but other files beside it do. Name it train, val or test, or move it.")
    labels = [v for p in parts for v in _labels_of(p)]
    if all(p.label is None for p in parts):
        seen = ", ".join(dict.fromkeys(name for p in parts for name in p.columns)) or "nothing beside the images"
        raise DataError(f"{place} has no labels; it has: {seen}. Name one of them 'label' (or class, target).")
    tied = [groups_of(p.columns, attributes, p.source) for p in parts]
    timed = [times_of(p.columns, attributes, p.source) for p in parts]
    notes = dict.fromkeys(note for _, said in (*tied, *timed) for note in said)
    groups = [g for p, (values, _) in zip(parts, tied, strict=True) for g in values or [[] for _ in p.reasons]]
    times = [t for p, (values, _) in zip(parts, timed, strict=True) for t in values or [None] * len(p.reasons)]
    reasons = [r for p in parts for r in p.reasons]
    return Listing(
        layout=layout, name=place.resolve().name if place.is_dir() else place.name.partition(".")[0],
        roots={"source": str((place if place.is_dir() else place.parent).resolve())}, keys=_keys(parts, splits),
        splits=splits, labels=_named(labels, class_names, place), images={"root": "source", **_images(parts)},
        class_ids=tuple(class_names), policy="official" if class_names else None,
        groups=groups if any(g for g, _ in tied) else None, times=times if any(t for t, _ in timed) else None,
        reasons=reasons if any(reasons) else None, notes=tuple(notes),
    )  # fmt: skip


def names_beside(folder: Path, parts: Sequence[Records]) -> list[str]:
    """Names of integer labels: the lines of `labels.txt` in a folder; empty without it, or where it does not fit.

    Files of that name also hold other things: taken are different lines, as many as the labels count at least.
    """
    file = folder / "labels.txt"
    labels = {v for p in parts for v in _labels_of(p) if v is not None}
    if not labels or not all(v.isdecimal() for v in labels) or not file.is_file():
        return []
    try:
        lines = [line.strip() for line in file.read_text("utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as e:
        raise DataError(f"{file} cannot be read: {e}. Wanted: a class in each line, UTF-8.") from None
    return lines if len(set(lines)) == len(lines) > max(int(v) for v in labels) else []


def own_names(names: Sequence[str | None]) -> list[str]:
    """What the source calls each row: its own name where the names tell more than the row's number, else the number.

    One publisher leaves the path out and another writes `test_00042.jpg` for row 42; both mean the same sample.
    """
    numbers = [f"{i:05d}" for i in range(len(names))]
    if any(p is None or p == "" for p in names) or len(set(names)) < len(names):
        return numbers
    digits = [re.search(r"(\d+)\D*$", str(p)) for p in names]
    if all(m is not None and int(m[1]) == i for i, m in enumerate(digits)):
        return numbers
    return [str(p) for p in names]


def words_of(name: str) -> list[str]:
    """The words of a name, in lower case: `X_train.npy` has x, train and npy."""
    return [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]


def split_in(name: str) -> str | None:
    """The split that exactly one word of a name, or several alike, speak of: `mnist-train.tfrecord` is train."""
    found = {split_of(word) for word in words_of(name)} - {None}
    return found.pop() if len(found) == 1 else None


def files_of(path: Path, is_one: Callable[[Path], bool], is_named: Callable[[str], bool] | None = None) -> list[Path]:
    """The file itself, or those of a kind in a folder, else in its folders that are named for a split; byte order.

    Every layout asks this of every source: `is_named` passes over most of a million files by their names.
    """
    if not path.is_dir():
        return [path] if path.is_file() and is_one(path) else []
    files, folders = entries_of(path, is_named)
    found = [f for f in files if is_one(f)]
    if found:
        return found
    return [f for folder in folders if split_in(folder.name) for f in entries_of(folder, is_named)[0] if is_one(f)]


def entries_of(folder: Path, is_named: Callable[[str], bool] | None = None) -> tuple[list[Path], list[Path]]:
    """Files with the names wanted, and folders, directly in a folder, in byte order, hidden ones left out."""
    files: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_hidden(entry.name):
                    continue
                if is_folder(entry):
                    folders.append(entry.name)
                elif is_named is None or is_named(entry.name):
                    files.append(entry.name)
    except OSError as e:
        raise DataError(f"{folder} cannot be listed: {e.strerror}. Fix its permissions.") from None
    return [folder / n for n in sorted(files, key=os.fsencode)], [folder / n for n in sorted(folders, key=os.fsencode)]


def split_of_shard(file: Path, root: Path) -> str | None:
    """The split that the name of a file speaks of, else that of its folder below the source."""
    return split_in(file.name) or (split_in(file.parent.name) if file.parent != root else None)


def _splits_of(part: Records) -> list[str | None]:
    column = find(list(part.columns), SPLIT)
    if part.split is None and column is not None:
        return splits_of(part.columns[column], part.source)
    return [part.split] * len(part.reasons)


def _labels_of(part: Records) -> list[str | None]:
    if part.label is None:
        return [None] * len(part.reasons)
    # -1 is how many writers say "no label".
    return [None if v == "-1" else v for v in labels_of(part.columns[part.label], part.source)]


def _keys(parts: Sequence[Records], splits: Sequence[str | None]) -> list[str]:
    names: list[str | None] = []
    for part in parts:
        column = find([n for n in part.columns if n != part.label], KEY)
        names += [None if v is None else str(v) for v in part.columns[column]] if column else [None] * len(part.reasons)
    keys = [""] * len(names)
    for split in set(splits):
        rows = [i for i, s in enumerate(splits) if s == split]
        for i, name in zip(rows, own_names([names[i] for i in rows]), strict=True):
            keys[i] = name if split is None or name.startswith(f"{split}/") else f"{split}/{name}"
    return keys


def _named(labels: list[str | None], class_names: Sequence[str], place: Path) -> list[str | None]:
    if not class_names:
        return labels
    if len(set(class_names)) < len(class_names):
        raise DataError(f"{place} names a class twice; each of the {len(class_names)} names must be another.")
    known = {**{str(i): name for i, name in enumerate(class_names)}, **{name: name for name in class_names}}
    strange = sorted({v for v in labels if v is not None} - set(known))
    if strange:
        raise DataError(f"{place} has the label {strange[0]!r}, but names only {len(class_names)} classes.")
    return [None if v is None else known[v] for v in labels]


def _images(parts: Sequence[Records]) -> dict[str, Any]:
    fields = dict.fromkeys(name for p in parts for name in p.images)
    bare = [p.source for p in parts if "codec" not in p.images]
    if bare and "codec" in fields:
        raise DataError(f"{bare[0]} holds encoded images and other files beside it plain arrays. Give one kind.")
    merged: dict[str, Any] = {}
    for name in fields:
        values = [p.images.get(name) for p in parts]
        if all(not isinstance(v, list) and v == values[0] for v in values):
            merged[name] = values[0]
        else:
            merged[name] = [
                v for p, value in zip(parts, values, strict=True)
                for v in (value if isinstance(value, list) else [value] * len(p.reasons))
            ]  # fmt: skip
    return merged
