"""Tar files read in place: class folders inside one, tars inside one, or a folder of tars named by class or split.

Nothing is unpacked. A tar counts as a folder of its own name, so that the samples are those of the unpacked tree.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from sightline.errors import DataError
from sightline.formats.archived_folders import archives_in, blocks_of
from sightline.formats.class_tree import is_hidden
from sightline.formats.listing import Attributes, Format, Listing, joined
from sightline.formats.members import Members, tidied, together
from sightline.formats.tar_headers import BATCH, Entry, PlainRun, scan

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
    return joined(list(read_blocks(path, attributes)))


def read_blocks(path: Path, attributes: Attributes) -> Iterator[Listing]:
    """The samples that `read` gives, some thousands at a time."""
    return blocks_of(path, SUFFIX, pieces_in)


FORMAT = Format(name="tar", is_at=is_at, read=read, read_blocks=read_blocks)


def members_of(path: Path, *, is_deep: bool = True) -> Members:
    """Files of a tar by byte range, under their tidied names; with `is_deep` those of tars inside it too.

    A tar inside is a folder of its name without the suffix. Raises DataError for a damaged archive.
    """
    return together(pieces_in(path, is_deep=is_deep))


def pieces_in(path: Path, *, is_deep: bool = True) -> Iterator[Members]:
    """What `members_of` gives, some thousands at a time."""
    scanning = _Scanning(path, MAX_DEPTH if is_deep else 0)
    yield from scanning.pieces()
    if scanning.num_other:
        yield Members(notes=(f"{scanning.num_other} devices or pipes in {path.name} left out",))


Place = tuple[str, int, int]
"""Name, offset and size of a file."""


def _apart(places: Iterable[Place]) -> tuple[list[Place], list[Place]]:
    """Files that are no tars, and tars."""
    kinds: tuple[list[Place], list[Place]] = ([], [])
    for place in places:
        kinds[place[0].lower().endswith(SUFFIX)].append(place)
    return kinds


class _Scanning:
    """The way through a tar and the tars inside it."""

    def __init__(self, path: Path, depth: int) -> None:
        self.path, self.depth = path, depth
        self.num_other = 0
        self._links: list[tuple[str, str]] | None = None
        """Names of links and what they lead to, where these alone are wanted."""

    def pieces(self) -> Iterator[Members]:
        """All members, in the archive's order."""
        return self._pieces(0, None, "", str(self.path), self.depth)

    def _pieces(self, start: int, stop: int | None, prefix: str, title: str, depth: int) -> Iterator[Members]:
        """The members of the tar at a byte range, their names behind a prefix."""
        container = "tar.tar" if prefix else "tar"
        inner: list[Place] = []
        found = Members(containers=container)
        for part in scan(self.path, start, stop, title):
            if isinstance(part, PlainRun):
                names = tidied(part.names, title)
                if depth and SUFFIX + "\0" in "\0".join((*names, "")).lower():
                    files, tars = _apart(zip(names, part.offsets, part.sizes, strict=True))
                    inner += tars
                    _add(found, prefix, files)
                else:
                    found.names += [prefix + name for name in names] if prefix else names
                    found.offsets += part.offsets
                    found.lengths += part.sizes
            elif part.kind == "file" and depth and part.name.lower().endswith(SUFFIX):
                inner.append((tidied([part.name], title)[0], part.offset, part.size))
            else:
                self._take_odd(found, part, prefix, tidied([part.name], title)[0])
            if len(found) + len(found.folders) >= BATCH:
                yield found
                found = Members(containers=container)
        yield found
        for name, offset, size in inner:
            folder = prefix + name[: -len(SUFFIX)]
            yield Members(folders=[folder])
            yield from self._pieces(offset, offset + size, f"{folder}/", f"{name} inside {title}", depth - 1)

    def _take_odd(self, found: Members, entry: Entry, prefix: str, name: str) -> None:
        if entry.kind == "folder":
            found.folders.append((prefix + name).rstrip("/"))
        elif entry.kind == "file":
            _add(found, prefix, [(name, entry.offset, entry.size)])
        elif entry.kind in {"link", "same"}:
            below = posixpath.dirname(name) if entry.kind == "link" else ""
            target = posixpath.normpath(posixpath.join(below, entry.target))
            self._take_link(found, prefix + name, prefix + target, entry)
        elif entry.kind == "sparse":
            _unreadable(found, prefix + name, "stored in pieces, as a sparse file; make the archive without --sparse")
        else:
            self.num_other += 1

    def _take_link(self, found: Members, name: str, target: str, entry: Entry) -> None:
        if self._links is not None:
            self._links.append((name, target))
        elif (place := self._link_places.get(target)) is not None:
            _add(found, "", [(name, *place)])
        else:
            _unreadable(found, name, f"a link to {entry.target!r}, which is no file of the archive")

    @cached_property
    def _link_places(self) -> dict[str, tuple[int, int]]:
        """Where the files lie that links lead to, directly or through another link: the archive is gone through twice
        more, so that it need not be remembered."""
        linked, again = _Scanning(self.path, self.depth), _Scanning(self.path, self.depth)
        linked._links, again._links = [], []
        for _ in linked.pieces():
            pass
        links = dict(linked._links)
        wanted = {*links.values(), *(links[target] for target in links.values() if target in links)}
        places = {
            name: (offset, length)
            for piece in again.pieces()
            for name, offset, length in zip(piece.names, piece.offsets, piece.lengths, strict=True)
            if name in wanted and offset is not None and length is not None
        }
        through = {name: places[target] for name, target in links.items() if name not in places and target in places}
        return through | places


def _add(found: Members, prefix: str, places: Iterable[Place]) -> None:
    for name, offset, size in places:
        found.names.append(prefix + name)
        found.offsets.append(offset)
        found.lengths.append(size)


def _unreadable(found: Members, name: str, reason: str) -> None:
    found.reasons[len(found.names)] = reason
    found.names.append(name)
    found.offsets.append(None)
    found.lengths.append(None)
