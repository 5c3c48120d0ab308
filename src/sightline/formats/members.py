"""Files inside an archive: where each of them lies, as columns, because there may be a million."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, field

from sightline.errors import DataError


@dataclass(kw_only=True)
class Members:
    """The files of one archive in its own order; sequences run parallel."""

    names: list[str] = field(default_factory=list)
    """As the archive calls them."""
    offsets: list[int | None] = field(default_factory=list)
    """Where the bytes begin that a reader of the container wants; None = nowhere, see `reasons`."""
    lengths: list[int | None] = field(default_factory=list)
    containers: list[str] | str = "file"
    """What reads them: one name for each, or one for all."""
    folders: list[str] = field(default_factory=list)
    """Folders that have entries of their own, also those without files."""
    reasons: dict[int, str] = field(default_factory=dict)
    """Position → why the file cannot be read."""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def container(self, i: int) -> str:
        """What reads the file at a position."""
        return self.containers if isinstance(self.containers, str) else self.containers[i]


def together(pieces: Iterable[Members]) -> Members:
    """The files of all pieces of one archive, one after the other."""
    found, containers = Members(), []
    for piece in pieces:
        found.reasons.update((len(found) + i, reason) for i, reason in piece.reasons.items())
        containers += [piece.containers] * len(piece) if isinstance(piece.containers, str) else piece.containers
        found.names += piece.names
        found.offsets += piece.offsets
        found.lengths += piece.lengths
        found.folders += piece.folders
        found.notes += piece.notes
    found.containers = containers[0] if len(set(containers)) == 1 else containers
    return found


def tidied(names: Iterable[str], archive: str) -> list[str]:
    """Relative POSIX names, as unpacking would make them. Raises DataError for a name that leads out of the archive.

    A name never becomes a path of this machine; it is a key, and what a key leads to must stay inside.
    """
    names = list(names)
    together = "\0".join(("", *names, ""))
    # Nearly all archives are tidy, which one look at all names tells; normpath takes 2 µs for each.
    if together.count("\0") == len(names) + 1 and not any(sign in together for sign in _UNTIDY):
        return names
    return [_tidied(name, archive) for name in names]


_UNTIDY = ("//", "/./", "/../", "\0/", "\0./", "\0../", "/\0", "/.\0", "/..\0", "\0\0", "\0.\0", "\0..\0")
"""What names have that normalising would change, with a NUL before and behind each."""


def _tidied(name: str, archive: str) -> str:
    short = posixpath.normpath(name.lstrip("/")) if name.strip("/") else ""
    if short == ".." or short.startswith("../") or "/../" in f"/{name}/" or "\0" in name:
        raise DataError(
            f"{archive} has a member called {name[:200]!r}: a name that leads out of the archive. It is not read; make "
            "the archive anew with relative names."
        )
    return "" if short == "." else short
