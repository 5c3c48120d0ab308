"""What a storage layout hands over: the samples of a source, before classes get their ids and headers are read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from sightline.samples import Classes

T = TypeVar("T")

SPLIT_NAMES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
               "test": "test", "testing": "test", "t10k": "test"}  # fmt: skip
"""What sources call their splits → train | val | test."""

SPLIT_ORDER = ("train", "val", "test", None)

BLOCK = 8192
"""Samples of one listing where a source is listed in blocks: enough that what is done once for each costs nothing."""


@dataclass(frozen=True, kw_only=True)
class Attributes:
    """Which columns of a table say what must not be split and when a sample was taken."""

    groups: tuple[str, ...] = ()
    """Columns whose equal values tie samples together; empty = the usual names, if present."""
    time: str | None = None
    """Column with the time of a sample; None = the usual names, if present."""
    views: tuple[str, ...] = ()
    """Words behind `#` in the source's address: which of a layout's several kinds of sample is wanted."""

    @property
    def is_given(self) -> bool:
        """Whether the person named any column."""
        return bool(self.groups) or self.time is not None


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The samples of a source in its own order; sequences run parallel, one entry for each sample."""

    layout: str
    """What was taken, for people: "class folders"."""
    name: str
    """Name of the source where no card is recognised."""
    roots: Mapping[str, str]
    """Root alias → address, as in a sample table."""
    keys: Sequence[str]
    """The source's own unique name of each sample; ends in what the source calls it."""
    splits: Sequence[str | None]
    """Official split: train, val or test; None throughout where the source has none."""
    labels: Sequence[str | None]
    """Native class id; None = unlabelled."""
    images: Mapping[str, Any]
    """Fields of `samples.IMAGE`: a list with one value for each sample, or one value for all. With `codec` the headers
    are known; without, they are read from the images."""
    class_ids: tuple[str, ...] = ()
    """Native ids that exist even where no sample has them; with policy "official" their order is the classes' order."""
    class_names: Mapping[str, str] = field(default_factory=dict)
    """Native id → name, where the source tells."""
    policy: str | None = None
    """"official" where the source fixes the order of classes; None = by name, or by number if all are numbers."""
    groups: Sequence[Sequence[tuple[str, str]]] | None = None
    """(kind, id) pairs that tie samples together."""
    times: Sequence[datetime | None] | None = None
    reasons: Sequence[str | None] | None = None
    """Why a sample has no image (a failed download, say), where the source itself tells; None = it has one."""
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Further columns of the sample table by name, such as `labels`, `crop`, `boxes` or `captions`: what only some
    sources tell. Entries of `labels` and `boxes` hold class ids, not native ids."""
    spaces: Mapping[str, Classes] = field(default_factory=dict)
    """Further label spaces that `columns` speak of, by name."""
    dataset: str | None = None
    """Name of the card, where the reader is that of a published dataset: `class_ids` are then all classes in order."""
    notes: tuple[str, ...] = ()
    """What was taken or left without being told, for people."""

    def renumbered(self, new: Mapping[int, int]) -> Listing:
        """The same samples where the classes' ids are `new`, old id → new; what further columns say of others goes."""

        def entries(values: Sequence[Any]) -> list[Any]:
            return [None if v is None else [e | {"id": new[e["id"]]} if not e["space"] else e for e in v
                                            if e["space"] or e["id"] in new] for v in values]  # fmt: skip

        changed = {name: entries(values) for name, values in self.columns.items() if name in {"labels", "boxes"}}
        return replace(self, columns={**self.columns, **changed})

    def classes_shown(self) -> list[set[int]]:
        """Class ids that each sample is said to show beside its label, by entries of the column `labels`."""
        entries = self.columns.get("labels", [None] * len(self.keys))
        return [{e["id"] for e in v or () if not e["space"] and e["state"] == 1} for v in entries]

    def take(self, positions: Sequence[int]) -> Listing:
        """The samples at positions; classes stay whole."""

        def at(values: Sequence[T]) -> list[T]:
            return [values[i] for i in positions]

        images = {name: at(v) if isinstance(v, list) else v for name, v in self.images.items()}
        return replace(
            self, keys=at(self.keys), splits=at(self.splits), labels=at(self.labels), images=images,
            groups=None if self.groups is None else at(self.groups),
            times=None if self.times is None else at(self.times),
            reasons=None if self.reasons is None else at(self.reasons),
            columns={name: at(values) for name, values in self.columns.items()},
        )  # fmt: skip


def joined(listings: Sequence[Listing]) -> Listing:
    """Listings of one source, one after the other; what only some know of is null for the others."""
    if len(listings) == 1:
        return listings[0]
    first = listings[0]

    def every(values: Callable[[Listing], Any], missing: Any = None) -> list[Any]:
        """Values of all samples: of a listing a sequence, one value for all, or None for `missing`."""
        found: list[Any] = []
        for one in listings:
            told = values(one)
            whole = isinstance(told, Sequence) and not isinstance(told, str)
            found += told if whole else [missing if told is None else told] * len(one.keys)
        return found

    def optional(name: str, missing: Any = None) -> list[Any] | None:
        is_there = any(getattr(one, name) is not None for one in listings)
        return every(lambda one: getattr(one, name), missing) if is_there else None

    def image(name: str) -> Any:
        values = [one.images.get(name) for one in listings]
        is_same = not isinstance(values[0], list) and all(value == values[0] for value in values)
        return values[0] if is_same else every(lambda one: one.images.get(name))

    return replace(
        first, keys=every(lambda one: one.keys), splits=every(lambda one: one.splits),
        labels=every(lambda one: one.labels), groups=optional("groups", ()), times=optional("times"),
        reasons=optional("reasons"),
        images={name: image(name) for name in dict.fromkeys(name for one in listings for name in one.images)},
        columns={name: every(lambda one, name=name: one.columns.get(name))  # type: ignore[misc]
                 for name in dict.fromkeys(name for one in listings for name in one.columns)},
        notes=tuple(dict.fromkeys(note for one in listings for note in one.notes)),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Format:
    """A storage layout that can be read."""

    name: str
    is_at: Callable[[Path], bool]
    """Whether a path holds this layout. Raises DataError for a container of this layout that is damaged."""
    read: Callable[[Path, Attributes], Listing]
    """The samples at a path. Raises DataError when the source as a whole cannot be read."""
    read_blocks: Callable[[Path, Attributes], Iterator[Listing]] | None = None
    """The same samples in listings of some thousands, whatever the source's size; None where a source is read whole.
    Each listing has all class ids, the last one the notes. Samples of different listings share no group."""
    has_columns: bool = False
    """Whether samples may have columns beside the label (groups, time)."""
    views: Mapping[str, str] = field(default_factory=dict)
    """Word behind `#` in the source's address → what it chooses, for people."""


def source_and_views(source: str | os.PathLike[str]) -> tuple[str, tuple[str, ...]]:
    """A source's path or name, and the words behind `#`: `coco#crops,2014`. A path that exists with its `#` is one."""
    text = os.fspath(source)
    head, hash_sign, words = text.rpartition("#")
    if not hash_sign or os.path.exists(text):
        return text, ()
    return head, tuple(word.strip() for word in words.split(",") if word.strip())


def split_of(name: str) -> str | None:
    """train, val or test for a source's word, whatever its case; None for another word."""
    return SPLIT_NAMES.get(name.strip().lower())


def split_of_file(stem: str) -> str | None:
    """Split named by the first word of a file's stem: `train-00000-of-00294` is train; None for another word."""
    first = re.split(r"[-_.]", stem, maxsplit=1)[0]
    return split_of(first)
