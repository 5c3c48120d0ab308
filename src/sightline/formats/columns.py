"""Columns of a table that say more than the label: the split, what ties samples together, and when they were taken.

Rows are counted from 1 in messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from sightline.errors import DataError, did_you_mean
from sightline.formats.listing import SPLIT_NAMES, Attributes, split_of

PATH = ("path", "image", "file", "filename", "filepath", "file_name", "file_path", "image_path", "img")
LABEL = ("label", "class", "target", "category", "labels", "fine_label")
SPLIT = ("split", "subset", "partition")
GROUP = ("group", "group_id", "patient", "patient_id", "subject", "subject_id")
TIME = ("time", "date", "timestamp", "datetime")

Columns = Mapping[str, Sequence[Any]]


def find(names: Sequence[str], known: tuple[str, ...]) -> str | None:
    """The column that goes by one of the `known` names, whatever its case; earlier names win."""
    by_lower = {name.strip().lower(): name for name in reversed(names)}
    return next((by_lower[k] for k in known if k in by_lower), None)


def need(names: Sequence[str], known: tuple[str, ...], what: str, source: str) -> str:
    """As `find`. Raises DataError naming what the table has when there is no such column."""
    column = find(names, known)
    if column is None:
        raise DataError(
            f"{source} has no column for the {what}. It has: {', '.join(names)}. Name one of them {known[0]!r} "
            f"(or {', '.join(known[1:5])})."
        )
    return column


def labels_of(values: Sequence[Any], source: str) -> list[str | None]:
    """Native class ids: text without surrounding blanks, whole numbers as digits; empty or null is unlabelled."""
    found: list[str | None] = []
    for i, value in enumerate(values, 1):
        if isinstance(value, float):
            # A column of integers with gaps arrives as floats from many writers.
            if value != value:
                value = None
            elif value == int(value):
                value = int(value)
            else:
                raise DataError(f"{source}: label {value!r} in row {i} is not a class; wanted text or a whole number.")
        if value is not None and not isinstance(value, str | int):
            raise DataError(f"{source}: label {value!r} in row {i} is not a class; wanted text or a whole number.")
        found.append(None if value is None else str(value).strip() or None)
    return found


def splits_of(values: Sequence[Any], source: str) -> list[str | None]:
    """train, val or test for each row, or None throughout. Raises DataError for other words and for gaps."""
    words = {v: split_of(str(v)) if v not in (None, "") else None for v in set(values)}
    for word, split in words.items():
        if split is None and word not in (None, ""):
            raise DataError(f"{source} has the split {word!r}; wanted train, val or test."
                            + did_you_mean(str(word).lower(), SPLIT_NAMES))  # fmt: skip
    splits = [words[v] for v in values]
    missing = splits.count(None)
    if 0 < missing < len(splits):
        row = splits.index(None) + 1
        raise DataError(f"{source}: {missing} of {len(splits)} rows have no split (first row {row}). Fill all or none.")
    return splits


def groups_of(
    table: Columns, attributes: Attributes, source: str
) -> tuple[list[list[tuple[str, str]]] | None, tuple[str, ...]]:
    """(kind, id) pairs of each row, and a note when the columns were chosen without being told.

    A kind is the column's name. Equal ids of different kinds have nothing to do with each other.
    """
    columns = list(attributes.groups)
    notes: tuple[str, ...] = ()
    for column in columns:
        if column not in table:
            raise DataError(f"{source} has no column {column!r} to group by.{did_you_mean(column, table)}")
    if not columns:
        taken = find(list(table), GROUP)
        if taken is None:
            return None, ()
        columns, notes = [taken], (f"grouped by the column {taken!r}",)
    groups = [
        [(kind, str(value)) for kind, value in zip(columns, row, strict=True) if value is not None and value != ""]
        for row in zip(*(table[c] for c in columns), strict=True)
    ]
    return groups, notes


def times_of(
    table: Columns, attributes: Attributes, source: str
) -> tuple[list[datetime | None] | None, tuple[str, ...]]:
    """Time of each row in UTC, and a note when the column was chosen, or left, without being told."""
    column = attributes.time or find(list(table), TIME)
    if column is None:
        return None, ()
    if column not in table:
        raise DataError(f"{source} has no column {column!r} for the time.{did_you_mean(column, table)}")
    times: list[datetime | None] = []
    for i, value in enumerate(table[column], 1):
        try:
            times.append(_time(value))
        except ValueError:
            if attributes.time is None:
                return None, (f"column {column!r} not taken for the time: {value!r} is none",)
            raise DataError(
                f"{source}: {value!r} in row {i} of column {column!r} is no time; wanted ISO 8601 such as 2026-03-01 "
                "or 2026-03-01T14:05."
            ) from None
    return times, () if attributes.time else (f"time from the column {column!r}",)


def _time(value: Any) -> datetime | None:
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day)
    elif isinstance(value, str) and value.strip().isdigit() and len(value.strip()) == 4:
        moment = datetime(int(value), 1, 1)
    elif isinstance(value, str):
        moment = datetime.fromisoformat(value.strip())
    else:
        raise ValueError(value)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
