"""A folder for each class, below folders for train, val and test or without them; images at any depth inside."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sightline.errors import DataError
from sightline.formats.class_tree import (
    IMAGE_SUFFIXES,
    NOT_IMAGES,
    Piece,
    TreeReading,
    begins_like_an_image,
    in_order,
    is_folder,
    shown,
    top_folders,
)
from sightline.formats.files import VIEWS, with_frames
from sightline.formats.first_bytes import FLAGS
from sightline.formats.listing import BLOCK, Attributes, Format, Listing, joined, split_of

__all__ = ["FORMAT", "IMAGE_SUFFIXES", "NOT_IMAGES", "is_at", "read", "read_blocks"]


def is_at(path: Path) -> bool:
    """Whether `path` is a folder: the layout of last resort, whose reader says what is missing."""
    return path.is_dir()


def read(path: Path, attributes: Attributes) -> Listing:
    """Samples of a class-folder tree, byte-wise by relative path. Raises DataError when there are no class folders."""
    return joined(list(read_blocks(path, attributes)))


def read_blocks(path: Path, attributes: Attributes) -> Iterator[Listing]:
    """The samples that `read` gives, some thousands at a time; from the first file with several images on all others.

    Groups tie such files together, wherever they are.
    """
    walk = _Walk(str(path))
    outline: dict[str, Sequence[str]] = {"": walk.files_of(""), **dict.fromkeys(walk.folders_of(""), ())}
    for top in top_folders(outline):
        if split_of(top) is not None:
            outline[top] = walk.files_of(top)
            outline.update(dict.fromkeys((f"{top}/{name}" for name in walk.folders_of(top)), ()))
    reading = TreeReading(outline, str(path), lambda key: _begins_like_an_image(f"{path}/{key}"))
    reading.take("", outline[""])
    whole = Listing(
        layout="class folders", name=path.resolve().name, roots={"source": str(path.resolve())}, keys=[], splits=[],
        labels=[], images={"root": "source", "path": [], "container": "file"}, class_ids=reading.class_ids,
    )  # fmt: skip
    blocks = _blocks(reading, walk, whole)
    for block in blocks:
        framed = with_frames(block, attributes.views)
        if framed is not block:
            framed = with_frames(joined([block, *blocks]), attributes.views)
        yield framed


FORMAT = Format(name="class folders", is_at=is_at, read=read, read_blocks=read_blocks, views=VIEWS)


def _begins_like_an_image(file: str) -> bool:
    try:
        handle = os.open(file, FLAGS)
        try:
            return begins_like_an_image(os.read(handle, 16))
        finally:
            os.close(handle)
    except OSError:
        return False


def _blocks(reading: TreeReading, walk: _Walk, whole: Listing) -> Iterator[Listing]:
    """The samples of a tree; the last block has the notes."""
    keys: list[str] = []
    splits: list[str | None] = []
    labels: list[str | None] = []

    def block() -> Listing:
        return replace(whole, keys=keys, splits=splits, labels=labels, images={**whole.images, "path": keys})

    for top in reading.folders:
        for folder, names in walk.pieces(top):
            for start in range(0, max(len(names), 1), BLOCK):
                taken, split, label = reading.take(folder, names[start : start + BLOCK])
                if taken and len(keys) >= BLOCK:
                    yield block()
                    keys, splits, labels = [], [], []
                keys += taken
                splits += [split] * len(taken)
                labels += [label] * len(taken)
    if not keys:
        raise DataError(reading.nothing_found())
    yield replace(block(), notes=reading.notes())


class _Walk:
    """The tree below a folder, each folder listed once."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._listed: dict[str, tuple[list[str], list[str]]] = {}

    def files_of(self, folder: str) -> list[str]:
        """Names of the files in a folder that are seen, sorted. Raises DataError."""
        return self._entries(folder)[0]

    def folders_of(self, folder: str) -> list[str]:
        """Names of the folders in a folder, likewise. Raises DataError."""
        return self._entries(folder)[1]

    def _entries(self, folder: str) -> tuple[list[str], list[str]]:
        if folder not in self._listed:
            self._listed[folder] = self._scanned(f"{self._root}/{folder}" if folder else self._root)
        return self._listed[folder]

    def _scanned(self, place: str) -> tuple[list[str], list[str]]:
        try:
            with os.scandir(place) as entries:
                found = list(entries)
            files = [entry.name for entry in found if entry.is_file(follow_symlinks=False)]
            others = [e for e in found if not e.is_file(follow_symlinks=False)] if len(files) < len(found) else []
            folders = [entry.name for entry in others if is_folder(entry)]
            # A broken link stays: it becomes a row whose file is missing.
            files += [entry.name for entry in others if entry.is_symlink() and not is_folder(entry)]
        except OSError as e:
            raise DataError(f"{place} cannot be listed: {e.strerror}. Fix its permissions.") from None
        return shown(sorted(files)), shown(sorted(folders))

    def pieces(self, folder: str, above: frozenset[tuple[int, int]] = frozenset()) -> Iterator[Piece]:
        """The files below a folder, byte-wise by path; what was listed before is forgotten then."""
        place = f"{self._root}/{folder}"
        try:
            here, root = ((stat.st_dev, stat.st_ino) for stat in map(os.stat, (place, self._root)))
        except OSError as e:
            raise DataError(f"{place} cannot be listed: {e.strerror}. Fix its permissions.") from None
        if here in above | {root}:
            raise DataError(f"{place} is a link to a folder above it; remove the link.")
        known = folder in self._listed
        files, folders = self._listed.pop(folder) if known else self._scanned(place)
        for item in in_order(folder, files, folders):
            if isinstance(item, str):
                yield from self.pieces(item, above | {here})
            else:
                yield item
