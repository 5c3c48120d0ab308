"""ImageNet-1k in a layout that others have too (folders, tar, Parquet, TFRecord, WebDataset): known by its file names.

The names of its images say the split and, for train, the class; so labels can be checked, whatever numbers a layout
uses, and the same image gets the same key from all of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from sightline.catalog.label_data import IMAGENET_1K, listed, val_labels
from sightline.catalog.label_maps import label_space
from sightline.catalog.wordnet import are_wnids
from sightline.formats.listing import SPLIT_ORDER, Listing, joined

DATASET = "imagenet-1k"

_TRAIN = re.compile(r"(?:.*/)?(n\d{8})_(\d+)(?:_n\d{8})?(?:\.jpe?g)?", re.IGNORECASE)
_OTHERS = re.compile(r"(?:.*/)?ILSVRC2012_(val|test)_(\d{8})(?:_n\d{8})?(?:\.jpe?g)?", re.IGNORECASE)

AGREEMENT = 0.9
"""Share of the labels that a numbering must explain; what it does not explain is somebody's relabelling, and stays."""

_NUMBERINGS = {
    "imagenet-1k": "",
    "imagenet-1k/background": "labels count from 1, 0 is a background class",
    "imagenet-1k/devkit": "labels count from 1 in the order of the development kit",
}


class Named(NamedTuple):
    """What a file name says."""

    split: str
    key: str
    wnid: str | None
    """Class; None for the test images, whose labels were never published."""


def named(name: str) -> Named | None:
    """What the name of an ImageNet-1k image says, with or without folders, a class behind it (as hubs write) or suffix.

    `n01440764_10026.JPEG`, `ILSVRC2012_val_00000001_n01751748.JPEG`. None for any other name.
    """
    if found := _TRAIN.fullmatch(name):
        wnid, number = found.groups()
        return Named("train", f"train/{wnid}/{wnid}_{number}.JPEG", wnid)
    if found := _OTHERS.fullmatch(name):
        split, number = found[1].lower(), int(found[2])
        labels = val_labels()
        if split == "val" and not 1 <= number <= len(labels):
            return None
        wnid = listed(IMAGENET_1K)[labels[number - 1]] if split == "val" else None
        return Named(split, f"{split}/ILSVRC2012_{split}_{number:08d}.JPEG", wnid)
    return None


def val_key(number: int) -> str:
    """Key of a val image by its number, 1 … 50,000."""
    return f"val/ILSVRC2012_val_{number:08d}.JPEG"


def as_imagenet(listing: Listing) -> Listing | None:
    """The listing with official keys, classes and order if its names and labels are those of ImageNet-1k, else None.

    A part of the classes, or a division of one's own, is somebody's own dataset and stays that.
    """
    if not listing.keys or named(listing.keys[0]) is None:
        return None
    if listing.class_ids and are_wnids(listing.class_ids) and set(listing.class_ids) != set(listed(IMAGENET_1K)):
        return None
    names: list[Named] = []
    for key, split in zip(listing.keys, listing.splits, strict=True):
        found = named(key)
        if found is None or split not in {None, found.split}:
            return None
        names.append(found)
    told = _told(listing, names)
    if told is None:
        return None
    labels, notes = told
    rank = {split: i for i, split in enumerate(SPLIT_ORDER)}
    places = [(rank[n.split], n.key) for n in names]
    result = replace(
        listing, keys=[n.key for n in names], splits=[n.split for n in names], labels=labels,
        class_ids=listed(IMAGENET_1K), class_names={}, policy="official", dataset=DATASET,
        notes=(*listing.notes, *notes),
    )  # fmt: skip
    in_order = all(a < b for a, b in pairwise(places))
    return result if in_order else result.take(sorted(range(len(places)), key=places.__getitem__))


def in_blocks(read: Callable[[], Iterator[Listing]]) -> Iterator[Listing] | None:
    """What `as_imagenet` makes of a source of class folders that is read in blocks, as often as it is asked to.

    None where it is not ImageNet-1k.
    """
    agreeing: Counter[bool] = Counter()
    odd: tuple[str, str, str] | None = None
    last: dict[str, str] = {}
    unordered: set[str] = set()
    for block in read():
        if set(block.class_ids) != set(listed(IMAGENET_1K)):
            return None
        for key, split, label in zip(block.keys, block.splits, block.labels, strict=True):
            found = named(key)
            if found is None or split not in {None, found.split}:
                return None
            if found.key <= last.get(found.split, ""):
                unordered.add(found.split)
            last[found.split] = found.key
            if found.wnid is not None and label is not None:
                agreeing[found.wnid == label] += 1
                odd = odd or (None if found.wnid == label else (found.key, label, found.wnid))
    if not agreeing or agreeing[True] < AGREEMENT * agreeing.total():
        return None
    notes = () if odd is None else (_relabelled(agreeing[False], *odd),)
    return _official(read, {split: split not in unordered for split in SPLIT_ORDER if split in last}, notes)


def _official(
    read: Callable[[], Iterator[Listing]], splits: Mapping[str, bool], notes: tuple[str, ...]
) -> Iterator[Listing]:
    """The samples of a source, split by split, as those of ImageNet-1k; the last listing has the notes.

    Whether a split is in the order of its keys is told; another is put in order, such as val in folders of classes.
    """
    held: Listing | None = None
    for split, is_ordered in splits.items():
        parts: Iterator[Listing] = (_of_split(block, split, notes) for block in read())
        if not is_ordered:
            whole = joined(list(parts))
            parts = iter([whole.take(sorted(range(len(whole.keys)), key=whole.keys.__getitem__))])
        for part in parts:
            if held is not None and part.keys:
                yield held
            held = part if held is None or part.keys else replace(held, notes=part.notes)
    if held is not None:
        yield held


def _of_split(block: Listing, split: str, notes: tuple[str, ...]) -> Listing:
    names = [named(key) for key in block.keys]
    told = replace(
        block, keys=[n.key if n else "" for n in names], splits=[n.split if n else None for n in names],
        class_ids=listed(IMAGENET_1K), class_names={}, policy="official", dataset=DATASET, notes=(*block.notes, *notes),
    )  # fmt: skip
    return told.take([i for i, n in enumerate(names) if n is not None and n.split == split])


def _relabelled(number: int, key: str, label: str | None, wnid: str | None) -> str:
    return (f"{number:,} labels are others than ImageNet's own (first: {key} has {label}, published {wnid}); kept as "
            "they are")  # fmt: skip


def _told(listing: Listing, names: Sequence[Named]) -> tuple[list[str | None], list[str]] | None:
    """Labels as wnids under the numbering that the names confirm, and notes; None where none does."""
    if listing.class_ids and are_wnids(listing.class_ids):
        candidates = [("imagenet-1k", list(listing.labels))]
    else:
        numbers = _numbers(listing)
        if numbers is None:
            return None
        spaces = {space: label_space(space) for space in _NUMBERINGS}
        first = {"imagenet-1k": 0, "imagenet-1k/background": 0, "imagenet-1k/devkit": 1}
        candidates = [
            (space, [None if n is None or not 0 <= n - first[space] < len(ids) else ids[n - first[space]]
                     for n in numbers])
            for space, ids in spaces.items()
        ]  # fmt: skip
    both = [i for i, n in enumerate(names) if n.wnid is not None and listing.labels[i] is not None]
    agreeing = {space: sum(labels[i] == names[i].wnid for i in both) for space, labels in candidates}
    space, labels = max(candidates, key=lambda c: agreeing[c[0]])
    if not both or agreeing[space] < AGREEMENT * len(both):
        return None
    notes = [_NUMBERINGS[space]] if _NUMBERINGS[space] else []
    if agreeing[space] < len(both):
        odd = next(i for i in both if labels[i] != names[i].wnid)
        notes.append(_relabelled(len(both) - agreeing[space], names[odd].key, labels[odd], names[odd].wnid))
    return labels, notes


def _numbers(listing: Listing) -> list[int | None] | None:
    """Labels as numbers: positions in a list of names, or what the digits say; None where they are neither."""
    if listing.policy == "official" and len(listing.class_ids) in {1_000, 1_001}:
        position = {native: i for i, native in enumerate(listing.class_ids)}
        return [None if v is None else position.get(v) for v in listing.labels]
    if not all(v is None or v.isdecimal() for v in listing.labels):
        return None
    numbers = [None if v is None else int(v) for v in listing.labels]
    # The first ten classes numbered 0 … 9 are somebody's ten classes.
    return numbers if max((n for n in numbers if n is not None), default=0) >= len(listed(IMAGENET_1K)) // 2 else None
