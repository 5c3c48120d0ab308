"""The files of a dataset that comes as one zip or as the folder it unpacks to: names, small texts, image references."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from sightline.errors import DataError, DecodeError
from sightline.formats.class_tree import is_folder, is_hidden
from sightline.formats.members import Members
from sightline.formats.zip_folders import members_of
from sightline.images.containers import Reference, opened
from sightline.images.ranges import Ranges

MAX_BYTES = 256 << 20
"""A text beyond this is refused."""
MOST_BESIDE = 64
"""Files beside a dataset's lone folder that are looked at."""


@dataclass(kw_only=True)
class FileTree:
    """Files below one folder, on a disk or in a zip; hidden ones left out."""

    source: Path
    """The folder or the zip, for messages."""
    names: list[str]
    """POSIX paths below the dataset's own folder, in byte order."""
    _folder: Path
    _members: Members | None = None
    _positions: dict[str, int] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self._positions

    @property
    def root(self) -> str:
        """Directory that image references are relative to."""
        return str(self._folder.resolve())

    def text(self, name: str) -> str:
        """A small file, as UTF-8. Raises DataError when it is missing, too large or unreadable."""
        if name not in self._positions:
            raise DataError(f"{self.source} has no {name}. Fetch the dataset again, or unpack it whole.")
        try:
            data = self._bytes(name)
        except (OSError, DecodeError) as e:
            raise DataError(f"{name} in {self.source} cannot be read: {e}.") from None
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as e:
            raise DataError(f"{name} in {self.source} is not UTF-8 text ({e.reason}). Fetch it again.") from None

    def _bytes(self, name: str) -> bytes:
        at = self._positions[name]
        if self._members is None:
            path = self._folder / self.names[at]
            if path.stat().st_size > MAX_BYTES:
                raise DecodeError(f"it has more than {MAX_BYTES:,} bytes")
            return path.read_bytes()
        offset, length = self._members.offsets[at], self._members.lengths[at]
        if offset is None or length is None or length > MAX_BYTES:
            raise DecodeError(self._members.reasons.get(at, f"it has more than {MAX_BYTES:,} bytes"))
        container = opened(self._members.container(at))
        if container is None:
            return Ranges().read(str(self.source), offset, offset + length)
        return container.payload(Reference(str(self.source), name, offset, length, None, None, None, None))

    def images(self, names: Sequence[str]) -> dict[str, Any]:
        """Fields of image references to files."""
        if self._members is None:
            return {"root": "source", "path": list(names), "container": "file"}
        at, found = [self._positions[n] for n in names], self._members
        return {"root": "source", "path": self.source.name, "container": [found.container(i) for i in at],
                "member": [found.names[i] for i in at], "offset": [found.offsets[i] for i in at],
                "length": [found.lengths[i] for i in at]}  # fmt: skip

    def reasons(self, names: Sequence[str]) -> list[str | None] | None:
        """Why files cannot be read, as far as the archive tells; None where all can."""
        if self._members is None or not self._members.reasons:
            return None
        return [self._members.reasons.get(self._positions[n]) for n in names]


def place_of(path: Path, marker: str, archive: str) -> Path | None:
    """Where a dataset lies: the folder with the file `marker`, or its zip, which may lie in a folder; else None."""
    if path.is_file():
        return path if path.suffix == ".zip" and path.name.startswith(archive.rpartition("-")[0]) else None
    found = folder_with(path, marker)
    return found or (path / archive if (path / archive).is_file() else None)


def file_tree(path: Path, marker: str) -> FileTree | None:
    """The files of a dataset that has the file `marker` in its own folder, perhaps one further down; else None."""
    if path.is_file():
        members = members_of(path)
        inside = next((n.removesuffix(marker) for n in members.names if n == marker or n.endswith(f"/{marker}")), None)
        if inside is None or inside.count("/") > 1:
            return None
        kept = sorted((n.removeprefix(inside), i) for i, n in enumerate(members.names)
                      if n.startswith(inside) and not any(is_hidden(part) for part in n.split("/")))  # fmt: skip
        positions = dict(kept)
        return FileTree(source=path, names=[n for n, _ in kept], _folder=path.parent, _members=members,
                        _positions=positions)  # fmt: skip
    folder = folder_with(path, marker)
    if folder is None:
        return None
    names = sorted(_files(folder), key=str.encode)
    return FileTree(source=folder, names=names, _folder=folder, _positions={n: i for i, n in enumerate(names)})


def folder_with(path: Path, marker: str) -> Path | None:
    """`path`, or the one folder in it, whichever has the file `marker`; else None."""
    if (path / marker).is_file():
        return path
    if not path.is_dir():
        return None
    with os.scandir(path) as entries:
        # A folder of many files is not looked through: this is asked of every source.
        few = islice(entries, MOST_BESIDE)
        below = [path / entry.name for entry in few if is_folder(entry) and not is_hidden(entry.name)]
    return below[0] if len(below) == 1 and (below[0] / marker).is_file() else None


def _files(folder: Path) -> list[str]:
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if not is_hidden(f)]
        below = Path(place).relative_to(folder).as_posix()
        found += [name if below == "." else f"{below}/{name}" for name in files if not is_hidden(name)]
    return found
