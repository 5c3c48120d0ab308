"""Columns that hold lists: several labels of one image, and the part of it that is the sample."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

from sightline.errors import DataError
from sightline.formats.columns import Columns, find, labels_of

CORNERS = (("x0", "y0", "x1", "y1"), ("xmin", "ymin", "xmax", "ymax"))
"""Columns of a crop's corners, in pixels of the stored image."""


def label_lists(values: Sequence[Any], column: str, source: str) -> list[list[str] | None] | None:
    """Native class ids of each sample, None where nobody said; or None where a column holds single labels.

    A list is one of JSON or Parquet; in a column called `labels` also text with `;` or `|` between the labels. An
    empty list says that the image shows none of the classes.
    """
    is_plural = column.strip().lower() == "labels"
    lists = [_list_of(value, is_plural) for value in values]
    if all(found is None for found in lists):
        return None
    made = []
    for row, (value, found) in enumerate(zip(values, lists, strict=True), 1):
        items = found if found is not None else [] if value in (None, "") else [value]
        if any(isinstance(v, bool | list | dict) for v in items):
            raise DataError(f"{source}: row {row} lists {items!r} as labels; wanted texts or whole numbers.")
        ids = [label for label in labels_of(items, source) if label is not None]
        made.append(None if found is None and value in (None, "") else list(dict.fromkeys(ids)))
    return made


def _list_of(value: Any, is_plural: bool) -> list[Any] | None:
    if isinstance(value, list):
        return value
    if not isinstance(value, str):
        return None
    text = value.strip()
    if text.startswith("[") and text.endswith("]"):
        try:
            found = json.loads(text)
        except ValueError:
            return None  # a class may be called "[x]"
        return found if isinstance(found, list) else None
    if not (is_plural and re.search(r"[;|]", text)):
        return None
    return [part for part in re.split(r"[;|]", text) if part.strip()]


def label_entries(lists: Sequence[Sequence[str] | None], ids: Sequence[str]) -> list[list[dict[str, Any]] | None]:
    """The column `labels` of a table whose classes are `ids`."""
    place = {native: i for i, native in enumerate(ids)}
    return [
        None if labels is None
        else [{"space": "", "id": place[v], "state": 1, "score": None, "source": "dataset"} for v in labels]
        for labels in lists
    ]  # fmt: skip


def crops_of(table: Columns, source: str) -> list[list[float] | None] | None:
    """x0, y0, x1, y1 of each sample: a column `crop` of lists, or four columns; None without such columns.

    Raises DataError for corners that enclose nothing.
    """
    whole = find(list(table), ("crop",))
    sets = ([find(list(table), (name,)) for name in names] for names in CORNERS)
    corners = next((found for found in sets if None not in found), None)
    if whole is None and corners is None:
        return None
    rows: Sequence[Any] = table[whole] if whole else list(zip(*(table[str(c)] for c in corners or ()), strict=True))
    return [_crop_of(value, row, source) for row, value in enumerate(rows, 1)]


def _crop_of(value: Any, row: int, source: str) -> list[float] | None:
    try:
        given = json.loads(value) if isinstance(value, str) and value.strip() else value
        if given in (None, "") or (isinstance(given, list | tuple) and all(n in (None, "") for n in given)):
            return None
        x0, y0, x1, y1 = (float(n) for n in given)
        if x0 < x1 and y0 < y1 and math.isfinite(x1 - x0) and math.isfinite(y1 - y0):
            return [x0, y0, x1, y1]
    except (TypeError, ValueError):
        pass
    raise DataError(f"{source}: row {row} has the crop {value!r}; wanted x0, y0, x1, y1 in pixels, with x0 < x1 and "
                    "y0 < y1 (not a width and a height).")  # fmt: skip


def crop_key(path: str, crop: Sequence[float] | None) -> str:
    """Key of a sample that is a part of an image."""
    return path if crop is None else f"{path}#{','.join(f'{n:g}' for n in crop)}"


def class_order(ids: set[str]) -> tuple[tuple[str, ...], str]:
    """Native ids in the order of their classes, and the name of that order: by number where all are numbers."""
    if ids and all(re.fullmatch(r"\d+", i) for i in ids):
        return tuple(sorted(ids, key=lambda i: (int(i), i))), "numeric"
    return tuple(sorted(ids, key=str.encode)), "lexicographic"
