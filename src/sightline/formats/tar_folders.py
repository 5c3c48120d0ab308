"""Tar files read in place: class folders inside one, tars inside one, or a folder of tars named by class or split.

Nothing is unpacked. A tar counts as a folder of its own name, so that the samples are those of the unpacked tree.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from pathlib import Path

from sightline.errors import DataError
from sightline.formats.archived_folders import Archive, archives_in, listing_of
from sightline.formats.class_tree import is_hidden
from sightline.formats.listing import Attributes, Format, Listing
from sightline.formats.members import Members, tidied
from sightline.formats.tar_headers import Entry, PlainRun, scan

SUFFIX = ".tar"
MAX_DEPTH = 3
"""Tars inside tars inside a tar; deeper is no dataset."""

_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tar.lz4")
_MAGIC_AT, _MAGIC = 257, b"ustar"


def is_tar(path: Path) -> bool:
    """Whether a file is a plain tar. Raises DataError for a compressed one: nothing in it has a place of its own."""
    if path.name.lower().endswith(_COMPRESSED):
        raise DataError(
            f"{path} is a compressed tar: its images cannot be read where they lie. Decompress it, the tar stays whole "
            f"(for .gz: gunzip {path.name}), and give the .tar."
        )
    if path.suffix.lower() == SUFFIX:
        return True
    try:
        with path.open("rb") as f:
            head = f.read(_MAGIC_AT + len(_MAGIC))
    except OSError:
        return False  # whoever reads it will say why it cannot be
    return head[_MAGIC_AT:] == _MAGIC


def is_at(path: Path) -> bool:
    """Whether `path` is a tar, or a folder of tars that hold the samples. Raises DataError for compressed ones."""
    if path.is_file():
        return is_tar(path)
    if not path.is_dir():
        return False
    if archives_in(path, SUFFIX):
        return True
    compressed = archives_in(path, _COMPRESSED)
    if compressed and len(compressed) == sum(not is_hidden(name) for name in os.listdir(path)):
        is_tar(compressed[0])  # says what to do
    return False


def read(path: Path, attributes: Attributes) -> Listing:
    """Samples of class folders in tars, byte-wise by key as in the unpacked tree."""
    files = [path] if path.is_file() else archives_in(path, SUFFIX)
    root = path.parent if path.is_file() else path
    archives = [Archive(file=f.relative_to(root).as_posix(), members=members_of(f)) for f in files]
    return listing_of(path, root, archives, SUFFIX)


FORMAT = Format(name="tar", is_at=is_at, read=read)


def members_of(path: Path, *, is_deep: bool = True) -> Members:
    """Files of a tar by byte range, under their tidied names; with `is_deep` those of tars inside it too.

    A tar inside is a folder of its name without the suffix. Raises DataError for a damaged archive.
    """
    found = _Found(path)
    found.take(0, None, "", str(path), MAX_DEPTH if is_deep else 0)
    return found.members()


Place = tuple[str, int, int]
"""Name, offset and size of a file."""


def _apart(places: Iterable[Place]) -> tuple[list[Place], list[Place]]:
    """Files that are no tars, and tars."""
    kinds: tuple[list[Place], list[Place]] = ([], [])
    for place in places:
        kinds[place[0].lower().endswith(SUFFIX)].append(place)
    return kinds


class _Found:
    """What was found in a tar so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: list[str] = []
        self.offsets: list[int | None] = []
        self.lengths: list[int | None] = []
        self.folders: list[str] = []
        self.reasons: dict[int, str] = {}
        self.inner: list[range] = []
        """Positions of what lies in tars inside."""
        self.links: list[tuple[int, str]] = []
        self.num_other = 0

    def take(self, start: int, stop: int | None, prefix: str, title: str, depth: int) -> None:
        """Add the members of the tar at a byte range, their names behind a prefix."""
        inner: list[Place] = []
        for part in scan(self.path, start, stop, title):
            if isinstance(part, PlainRun):
                names = tidied(part.names, title)
                if depth and SUFFIX + "\0" in "\0".join((*names, "")).lower():
                    others, tars = _apart(zip(names, part.offsets, part.sizes, strict=True))
                    inner += tars
                    self._add(prefix, others)
                else:
                    self.names += [prefix + name for name in names] if prefix else names
                    self.offsets += part.offsets
                    self.lengths += part.sizes
            elif part.kind == "file" and depth and part.name.lower().endswith(SUFFIX):
                inner.append((tidied([part.name], title)[0], part.offset, part.size))
            else:
                self._take_odd(part, prefix, tidied([part.name], title)[0])
        for name, offset, size in inner:
            begin = len(self.names)
            folder = prefix + name[: -len(SUFFIX)]
            self.folders.append(folder)
            self.take(offset, offset + size, f"{folder}/", f"{name} inside {title}", depth - 1)
            if depth == MAX_DEPTH:
                self.inner.append(range(begin, len(self.names)))

    def _take_odd(self, entry: Entry, prefix: str, name: str) -> None:
        if entry.kind == "folder":
            self.folders.append((prefix + name).rstrip("/"))
        elif entry.kind == "file":
            self._add(prefix, [(name, entry.offset, entry.size)])
        elif entry.kind in {"link", "same"}:
            below = posixpath.dirname(name) if entry.kind == "link" else ""
            self.links.append((len(self.names), prefix + posixpath.normpath(posixpath.join(below, entry.target))))
            self._unreadable(prefix + name, f"a link to {entry.target!r}, which is no file of the archive")
        elif entry.kind == "sparse":
            self._unreadable(prefix + name, "stored in pieces, as a sparse file; make the archive without --sparse")
        else:
            self.num_other += 1

    def _add(self, prefix: str, places: Iterable[Place]) -> None:
        for name, offset, size in places:
            self.names.append(prefix + name)
            self.offsets.append(offset)
            self.lengths.append(size)

    def _unreadable(self, name: str, reason: str) -> None:
        self.reasons[len(self.names)] = reason
        self.names.append(name)
        self.offsets.append(None)
        self.lengths.append(None)

    def members(self) -> Members:
        """The files found, links followed to what they name inside the archive."""
        if self.links:
            places = {n: i for i, n in enumerate(self.names) if i not in self.reasons}
            for _ in range(2):  # a link to a link
                for i, target in self.links:
                    if i in self.reasons and target in places:
                        j = places[target]
                        self.offsets[i], self.lengths[i] = self.offsets[j], self.lengths[j]
                        places[self.names[i]] = i
                        del self.reasons[i]
        containers: list[str] | str = "tar"
        if self.inner:
            containers = ["tar"] * len(self.names)
            for part in self.inner:
                containers[part.start : part.stop] = ["tar.tar"] * len(part)
        notes = (f"{self.num_other} devices or pipes in {self.path.name} left out",) if self.num_other else ()
        return Members(names=self.names, offsets=self.offsets, lengths=self.lengths, containers=containers,
                       folders=self.folders, reasons=self.reasons, notes=notes)  # fmt: skip

