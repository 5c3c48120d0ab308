"""WebDataset shards: tars in which files that follow one another and share a name up to its first dot are a sample."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from sightline.artifacts import read_json
from sightline.errors import DataError
from sightline.formats.columns import GROUP, LABEL, SPLIT, TIME, find
from sightline.formats.listing import Attributes, Format, Listing, split_of
from sightline.formats.records import KEY, Records, files_of, listing_of, split_of_shard
from sightline.formats.tar_folders import SUFFIX, is_tar, members_of
from sightline.formats.tar_headers import PlainRun, scan
from sightline.formats.wds_samples import Sample, image_of, samples_in
from sightline.images.ranges import Ranges
from sightline.progress import track

LABELS = ("cls", "class", "label", "cls.txt", "class.txt", "label.txt")
"""Members with nothing but the label."""
PICKLES = frozenset(["pyd", "pkl", "pickle", "pth", "pt"])
"""Members that loaders unpickle: they can run code, and are never opened."""
INFO = "_info.json"
CLASS_NAMES = ("classnames.txt", "classes.txt")
MAX_LABEL, MAX_JSON = 4096, 1 << 20
"""Bytes of a label, and of a JSON member; a longer one is none."""
_FIRST = 64
"""Files looked at to tell whether a tar holds samples or a tree."""


def is_at(path: Path) -> bool:
    """Whether `path` is, or a folder holds, tars in which an image and its label lie side by side."""
    shards = _shards(path)
    return bool(shards) and _has_labels_beside(shards[0])


def read(path: Path, attributes: Attributes) -> Listing:
    """Samples of WebDataset shards: train, then val, then test, each in shard and member order.

    Images are byte ranges of the shards. What loaders drop unseen, or take for parts of two samples, is said or is a
    row with a reason. Raises DataError for damaged shards, and for samples whose labels are pickles.
    """
    shards = _shards(path)
    root = path if path.is_dir() else path.parent
    told, notes = _told(root, shards)
    parts = []
    for shard in track(shards, "shards", len(shards)):
        part = _Shard(shard, root, attributes)
        parts.append(part.records(told.get(shard.name) or split_of_shard(shard, root)))
        notes += part.notes
    if not any(p.reasons for p in parts):
        raise DataError(f"{path} holds shards without a sample.")
    names = _class_names(root) if path.is_dir() else []
    listing = listing_of("WebDataset", path, parts, attributes, names)
    return replace(listing, notes=(*listing.notes, *_merged(notes)))


FORMAT = Format(name="WebDataset", is_at=is_at, read=read, has_columns=True)


def _shards(path: Path) -> list[Path]:
    if path.is_dir():
        return files_of(path, lambda f: f.is_file(), lambda name: name.lower().endswith(SUFFIX))
    return [path] if path.is_file() and is_tar(path) else []


def _has_labels_beside(shard: Path) -> bool:
    """Whether one of the first samples has an image, and beside it a label or JSON with one."""
    places: list[tuple[str, int, int]] = []
    for part in islice(scan(shard), _FIRST):
        if isinstance(part, PlainRun):
            places += list(zip(part.names, part.offsets, part.sizes, strict=True))[: _FIRST - len(places)]
        elif part.kind == "file":
            places.append((part.name, part.offset, part.size))
        if len(places) >= _FIRST:
            break
    samples, _ = samples_in([name for name, _, _ in places])
    ranges = Ranges()
    for sample in samples:
        if image_of(sample)[0] is None:
            continue
        if any(f in sample.fields for f in LABELS) or PICKLES & {f.rpartition(".")[2] for f in sample.fields}:
            return True
        if "json" in sample.fields:
            _, start, size = places[sample.fields["json"]]
            found = _parsed(ranges.read(str(shard), start, start + size)) if size <= MAX_JSON else None
            if found is not None and find(list(found), LABEL):
                return True
    return False


class _Shard:
    """The samples of one tar."""

    def __init__(self, file: Path, root: Path, attributes: Attributes) -> None:
        self.file, self.name = file, file.relative_to(root).as_posix()
        self.members = members_of(file, is_deep=False)
        self.samples, self.notes = samples_in(self.members.names)
        self._ranges = Ranges()
        named = (*attributes.groups, *([attributes.time] if attributes.time else []))
        self._wanted = {name.lower() for name in (*LABEL, *SPLIT, *GROUP, *TIME, *KEY, *named)}

    def records(self, split: str | None) -> Records:
        """Everything but the images."""
        labels: list[Any] = []
        images: list[int | None] = []
        reasons: list[str | None] = []
        about: list[Mapping[str, Any]] = []
        for sample in self.samples:
            label, told, reason = self._told(sample)
            image, why = image_of(sample)
            labels.append(label)
            about.append(told)
            reason = reason or why or (self.members.reasons.get(image) if image is not None else None)
            images.append(image if reason is None else None)
            reasons.append(reason)
        self._refuse_pickles(labels)
        names = dict.fromkeys(name for told in about for name in told if name != "label")
        further = {name: [told.get(name) for told in about] for name in names}
        found = self.members
        place: dict[str, Sequence[Any]] = {"member": found.names, "offset": found.offsets, "length": found.lengths}
        return Records(
            source=str(self.file), split=split, label="label", reasons=reasons,
            columns={"label": labels, "__key__": [s.key for s in self.samples], **further},
            images={"path": self.name, "container": "tar",
                    **{field: [None if i is None else values[i] for i in images] for field, values in place.items()}},
        )  # fmt: skip

    def _told(self, sample: Sample) -> tuple[Any, Mapping[str, Any], str | None]:
        """Label, what the JSON tells, and why they cannot be known."""
        told: Mapping[str, Any] = {}
        if "json" in sample.fields:
            found = _parsed(self._bytes(sample.fields["json"], MAX_JSON))
            if found is None:
                return None, {}, "its JSON member cannot be read"
            told = {k: v for k, v in found.items() if k.lower() in self._wanted and isinstance(v, str | int | float)}
        field = next((f for f in LABELS if f in sample.fields), None)
        if field is None:
            column = find(list(told), LABEL)
            return told[column] if column else None, told, None
        label = _label(self._bytes(sample.fields[field], MAX_LABEL))
        return label, told, None if label is not None else f"its label ({field}) is not text"

    def _bytes(self, i: int, most: int) -> bytes:
        start, size = self.members.offsets[i], self.members.lengths[i]
        if start is None or size is None or size > most:
            return b"\xff"  # what neither text nor JSON begins with
        return self._ranges.read(str(self.file), start, start + size)

    def _refuse_pickles(self, labels: Sequence[Any]) -> None:
        if labels and all(v is None for v in labels):
            kinds = sorted({f for s in self.samples for f in s.fields if f.rpartition(".")[2] in PICKLES})
            if kinds:
                raise DataError(
                    f"{self.file} keeps its labels in pickles ({', '.join(kinds)}), which can run any program when "
                    "they are opened; they are not. Write the shards with labels as cls or json."
                )


def _parsed(data: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _label(data: bytes) -> str | None:
    """Text of a label: a whole number as digits; None for what is no text. Empty is unlabelled."""
    try:
        text = data.decode().strip()
    except UnicodeDecodeError:
        return None
    return str(int(text)) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else text


def _told(root: Path, shards: Sequence[Path]) -> tuple[dict[str, str], list[str]]:
    """File name → split as the description beside the shards says, and what it says that is not so."""
    if not (root / INFO).is_file() or not shards:
        return {}, []
    about = read_json(root / INFO)
    told: dict[str, str] = {}
    notes = []
    splits = about.get("splits") if isinstance(about, dict) else None
    for word, entry in (splits if isinstance(splits, dict) else {}).items():
        files = entry.get("filenames") if isinstance(entry, dict) else None
        split = split_of(word)
        if split is None or not isinstance(files, list):
            continue
        told |= {os.path.basename(str(name)): split for name in files}
        absent = len({os.path.basename(str(name)) for name in files} - {s.name for s in shards})
        if absent:
            notes.append(f"{absent} of the {len(files)} shards of {word} that {INFO} names are not here")
    return told, notes


def _class_names(root: Path) -> list[str]:
    for name in CLASS_NAMES:
        if (root / name).is_file():
            try:
                text = (root / name).read_text("utf-8-sig")
            except (OSError, UnicodeDecodeError) as e:
                wanted = "Wanted: one class name in a line, UTF-8."
                raise DataError(f"{root / name} cannot be read ({e}). {wanted}") from None
            return [line.strip() for line in text.splitlines() if line.strip()]
    return []


def _merged(notes: Sequence[str]) -> list[str]:
    """Notes of all shards; those that differ in their number alone are added up."""
    numbers: dict[str, int] = {}
    others = []
    for note in notes:
        number, _, rest = note.partition(" ")
        if number.isdecimal():
            numbers[rest] = numbers.get(rest, 0) + int(number)
        else:
            others.append(note)
    return [*others, *(f"{n:,} {rest}" for rest, n in numbers.items())]
