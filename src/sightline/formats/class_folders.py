"""A folder for each class, below folders for train, val and test or without them; images at any depth inside."""

from __future__ import annotations

import os
from pathlib import Path

from sightline.errors import DataError
from sightline.formats.class_tree import (
    IMAGE_SUFFIXES,
    NOT_IMAGES,
    is_hidden,
    samples_of,
    split_folders,
    top_folders,
)
from sightline.formats.files import VIEWS, with_frames
from sightline.formats.listing import Attributes, Format, Listing, split_of

__all__ = ["FORMAT", "IMAGE_SUFFIXES", "NOT_IMAGES", "is_at", "read"]


def is_at(path: Path) -> bool:
    """Whether `path` is a folder: the layout of last resort, whose reader says what is missing."""
    return path.is_dir()


def read(path: Path, attributes: Attributes) -> Listing:
    """Samples of a class-folder tree, byte-wise by relative path. Raises DataError when there are no class folders."""
    walk = _Walk(path)
    walk.enter("")
    for top in top_folders(walk.tree):
        if split_of(top) is not None:
            walk.enter(top)
    # What lies beside train, val and test may be large, and is not read.
    for top in split_folders(walk.tree, str(path)).values() or top_folders(walk.tree):
        walk.descend(top)
    found = samples_of(walk.tree, str(path))
    listing = Listing(
        layout="class folders", name=path.resolve().name, roots={"source": str(path.resolve())}, keys=found.keys,
        splits=found.splits, labels=found.labels,
        images={"root": "source", "path": found.keys, "container": "file"},
        class_ids=found.class_ids, notes=found.notes,
    )  # fmt: skip
    return with_frames(listing, attributes.views)


FORMAT = Format(name="class folders", is_at=is_at, read=read, views=VIEWS)


class _Walk:
    """The tree below a folder, as far as it was entered."""

    def __init__(self, root: Path) -> None:
        self.tree: dict[str, list[str]] = {}
        self._root = str(root)
        self._entered: set[str] = set()

    def enter(self, folder: str) -> list[str]:
        """List one folder; its sub-folders, known by name from then on."""
        place = f"{self._root}/{folder}" if folder else self._root
        files: list[str] = []
        below: list[str] = []
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    name = entry.name
                    if is_hidden(name):
                        continue
                    if entry.is_dir():
                        below.append(f"{folder}/{name}" if folder else name)
                    elif entry.is_file() or entry.is_symlink():
                        files.append(name)  # a broken link stays: it becomes a row whose file is missing
        except OSError as e:
            raise DataError(f"{place} cannot be listed: {e.strerror}. Fix its permissions.") from None
        files.sort()
        self.tree[folder] = files
        for sub in below:
            self.tree.setdefault(sub, [])
        self._entered.add(folder)
        return below

    def descend(self, folder: str, above: frozenset[tuple[int, int]] = frozenset()) -> None:
        """List a folder and all that lies below it."""
        place = f"{self._root}/{folder}"
        stat = os.stat(place)
        here = (stat.st_dev, stat.st_ino)
        if here in above:
            raise DataError(f"{place} is a link to a folder above it; remove the link.")
        if folder in self._entered:
            prefix = f"{folder}/"
            below = [f for f in self.tree if f.startswith(prefix) and "/" not in f[len(prefix) :]]
        else:
            below = self.enter(folder)
        for sub in below:
            self.descend(sub, above | {here})
