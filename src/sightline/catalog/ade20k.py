"""ADE20K as SceneParsing publishes it: which scene a photograph shows, and which of 150 kinds of thing fill it."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from sightline.catalog.ade20k_card import ADE20K
from sightline.catalog.annotations import clean, counted, file_images, label_of, read_bytes
from sightline.errors import DataError
from sightline.formats.listing import Attributes, Format, Listing
from sightline.progress import progress
from sightline.samples import Classes

SCENES = "sceneCategories.txt"
OBJECTS = "objectInfo150.txt"
NUM_OBJECTS = 150

NO_SCENE = "misc"
"""What annotators wrote where none of the scenes fits: no class, and so no label."""

MIN_SHARE = 0.001
"""A thing that fills a smaller share of the pixels is said to be partly there (state 0), not present."""

FREQUENT = 10
"""Training photographs that a scene has to have for the view `frequent`."""

MAX_PIXELS = 1 << 26
"""Masks are decoded while indexing; a larger one is refused. The published ones have a third of a million to six."""

FOLDERS = {"training": "train", "validation": "val", "testing": "test"}

VIEWS = {"frequent": f"scenes of fewer than {FREQUENT} training photographs are no classes"}


def is_at(path: Path) -> bool:
    """Whether `path` is a folder with SceneParsing's list of scenes and its images."""
    return (path / SCENES).is_file() and any((path / "images" / folder).is_dir() for folder in FOLDERS)


def read(path: Path, attributes: Attributes) -> Listing:
    """Photographs with their scene as label, and the kinds of thing in the space "objects"; by file name."""
    source = path.resolve()
    scenes = _scenes(source / SCENES)
    rows = [(split, folder, stem) for folder, split in FOLDERS.items() for stem in _stems(source, folder, scenes)]
    if not rows:
        raise DataError(f"{source} has no images in images/training and images/validation.")
    labels = [scenes.get(stem) for _, _, stem in rows]
    masks = [source / "annotations" / folder / f"{stem}.png" for _, folder, stem in rows]
    objects, notes = _objects(masks)
    names = _names(source / OBJECTS)
    listing = Listing(
        layout="ADE20K SceneParsing", name=source.name, roots={"source": str(source)},
        keys=[f"{split}/{stem}.jpg" for split, _, stem in rows], splits=[split for split, _, _ in rows], labels=labels,
        images=file_images([f"images/{folder}/{stem}.jpg" for _, folder, stem in rows]),
        columns={"labels": objects}, spaces={"objects": Classes(tuple(names), tuple(names.values()), "official")},
        dataset=ADE20K.name, notes=notes,
    )  # fmt: skip
    return with_scenes(listing, attributes)


FORMAT = Format(name="ADE20K SceneParsing", is_at=is_at, read=read, views=VIEWS)


def with_scenes(listing: Listing, attributes: Attributes) -> Listing:
    """The listing with its scenes as classes, in byte order; `misc` is none, nor with `frequent` what is rare."""
    counts = Counter(label for label, split in zip(listing.labels, listing.splits, strict=True) if split == "train")
    found = {label for label in listing.labels if label is not None and label.rpartition("/")[2] != NO_SCENE}
    if "frequent" in attributes.views:
        kept = {label for label in found if counts[label] >= FREQUENT}
        if len(kept) < 2:
            raise DataError(f"{listing.name} has {len(kept)} scenes with {FREQUENT} training photographs or more. "
                            "Leave #frequent out.")  # fmt: skip
    else:
        kept = found
    labels = [label if label in kept else None for label in listing.labels]
    lost = Counter(label for label in listing.labels if label is not None and label not in kept)
    rare = {label: n for label, n in lost.items() if label in found}
    unseen = {label for label in kept if not counts[label]} if counts else set()
    notes = (
        *counted(lost.total() - sum(rare.values()), f"photographs of the scene {NO_SCENE} are unlabelled"),
        *counted(sum(rare.values()), f"photographs of {len(rare):,} rare scenes are unlabelled"),
        *counted(len(unseen), "scenes have no training photograph"),
    )
    return replace(listing, labels=labels, class_ids=tuple(sorted(kept, key=str.encode)), policy="lexicographic",
                   notes=(*listing.notes, *notes))  # fmt: skip


def _scenes(file: Path) -> dict[str, str]:
    """Stem of an image → its scene."""
    found: dict[str, str] = {}
    for number, line in enumerate(read_bytes(file).decode("utf-8", "replace").splitlines(), 1):
        stem, _, scene = line.strip().partition(" ")
        if not stem:
            continue
        if not scene.strip() or "/" in stem or "\\" in stem:
            raise DataError(f"{file}: line {number} is {line!r:.80}; wanted the name of an image and its scene.")
        found[stem] = clean(scene.strip())
    return found


def _stems(source: Path, folder: str, scenes: Mapping[str, str]) -> list[str]:
    """Names of the images in a folder and of those that the list of scenes has for it, in byte order."""
    place = source / "images" / folder
    if not place.is_dir():
        return []
    there = {e.name[:-4] for e in os.scandir(place) if e.name.endswith(".jpg") and not e.name.startswith(".")}
    listed = {stem for stem in scenes if stem.startswith(f"ADE_{FOLDERS[folder]}_")}
    return sorted(there | listed, key=str.encode)


def _names(file: Path) -> dict[str, str]:
    """Number of a kind of thing, as text → its name; the numbers alone where the list is not there."""
    names = {str(i): str(i) for i in range(1, NUM_OBJECTS + 1)}
    if not file.is_file():
        return names
    head, *lines = read_bytes(file).decode("utf-8", "replace").splitlines() or [""]
    columns = [column.strip().lower() for column in head.split("\t")]
    if "idx" not in columns or "name" not in columns:
        raise DataError(f"{file}: its first line must name Idx and Name, with tabs between; it is {head!r:.80}.")
    for line in lines:
        fields = dict(zip(columns, (field.strip() for field in line.split("\t")), strict=False))
        if fields.get("idx") in names and fields.get("name"):
            names[fields["idx"]] = clean(fields["name"])
    return names


def _objects(masks: Sequence[Path]) -> tuple[list[list[dict[str, Any]] | None], tuple[str, ...]]:
    """What each mask says to be there, and notes. A mask that is missing or damaged says nothing."""
    present = [label_of(i, space="objects", source="mask") for i in range(NUM_OBJECTS)]
    partly = [label_of(i, space="objects", state=0, source="mask") for i in range(NUM_OBJECTS)]
    found: list[list[dict[str, Any]] | None] = []
    damaged = 0
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool, progress("masks", len(masks)) as advance:
        for start in range(0, len(masks), 1024):
            for shares in pool.map(_shares, masks[start : start + 1024]):
                advance(1)
                damaged += isinstance(shares, str)
                found.append(None if shares is None or isinstance(shares, str) else [
                    (present if shares[i] >= MIN_SHARE else partly)[i - 1] for i in np.flatnonzero(shares) if i
                ])  # fmt: skip
    return found, counted(damaged, "masks are damaged and say nothing of what is there")


def _shares(mask: Path) -> np.ndarray[Any, Any] | str | None:
    """Share of the pixels of each number 0 … 150, None where there is no mask, and why one cannot be read."""
    if not mask.is_file():
        return None
    try:
        with Image.open(io.BytesIO(mask.read_bytes())) as image:
            if image.mode not in {"L", "P"} or image.width * image.height > MAX_PIXELS:
                return f"mode {image.mode}, {image.width} × {image.height}"
            numbers = np.asarray(image)
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError) as e:
        return str(e)
    counts = np.bincount(numbers.ravel(), minlength=256)
    if not numbers.size or counts[NUM_OBJECTS + 1 :].any():  # 255 and the like: a mask of another numbering
        return f"the number {numbers.max()}"
    return counts[: NUM_OBJECTS + 1] / numbers.size
