"""The files of a dataset, in a folder or still in the tar that it is downloaded as; either is addressed in place."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from sightline.errors import DataError

MAX_BYTES = 4 << 30
"""A compressed archive that grows beyond this is refused."""

ARCHIVES = (".tar", ".tar.gz")


@dataclass(frozen=True)
class Content:
    """One file's bytes, and where they lie for a sample table."""

    name: str
    path: str
    """Relative to the bundle's root: the file itself, or the archive."""
    container: str
    start: int
    """Position of the file's first byte in the (uncompressed) path."""
    data: np.ndarray[Any, Any]

    def array(self) -> tuple[np.ndarray[Any, Any], int]:
        """The array of an NPY file, and the position of its first value in the path. Raises DataError."""
        stream = io.BytesIO(self.data[: 1 << 16].tobytes())
        try:
            version = np.lib.format.read_magic(stream)
            head = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, is_fortran, kind = head(stream)
            if kind.hasobject or is_fortran:
                raise ValueError("objects instead of numbers" if kind.hasobject else "columns before rows")
            count, begin = int(np.prod(shape, dtype=np.int64)), stream.tell()
            values = np.frombuffer(self.data, kind, count, begin) if count else np.empty(0, kind)
            return values.reshape(shape), self.start + begin
        except (ValueError, TypeError, EOFError) as e:
            raise DataError(f"{self.path}: {self.name} is no NPY file of numbers, or is damaged ({e}). Fetch it again."
                            ) from None  # fmt: skip


class Bundle:
    """Files by name in `place`: a folder, or a tar (`.tar`, `.tar.gz`) whose members lie in one folder."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.root = place if place.is_dir() else place.parent
        self._members: dict[str, tuple[int, int]] = {}
        self._content: np.ndarray[Any, Any] | None = None

    def names(self) -> list[str]:
        """Names of the files, in byte order; those in folders below are left out."""
        if self.place.is_dir():
            return sorted(f.name for f in self.place.iterdir() if f.is_file())
        self._index()
        return sorted(self._members)

    def content(self, name: str) -> Content:
        """The file of a name that exists."""
        if self.place.is_dir():
            return Content(name, name, "range", 0, _mapped(self.place / name))
        self._index()
        assert self._content is not None
        start, size = self._members[name]
        container = "gzip" if self.place.name.endswith(".gz") else "tar"
        return Content(name, self.place.name, container, start, self._content[start : start + size])

    def _index(self) -> None:
        if self._content is not None:
            return
        data = _unpacked(self.place) if self.place.name.endswith(".gz") else _mapped(self.place)
        with _readable(self.place), tarfile.open(fileobj=io.BytesIO(data) if isinstance(data, bytes) else None,
                                                 name=self.place, mode="r:") as tar:  # fmt: skip
            folder = None
            for member in tar:
                parts = _parts(member.name)
                folder = folder or (parts[0] if parts else None)
                if member.isreg() and not member.sparse and len(parts) == 2 and parts[0] == folder:
                    self._members[parts[1]] = (member.offset_data, member.size)
        self._content = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data


def top_folder(archive: Path) -> str | None:
    """The first folder named in a tar, from its first member; None for a file that is no tar of this kind."""
    if not archive.name.endswith(ARCHIVES):
        return None
    try:
        with tarfile.open(archive, "r|gz" if archive.name.endswith(".gz") else "r|") as tar:
            member = tar.next()
    except (tarfile.TarError, OSError, EOFError, zlib.error):
        return None
    parts = _parts(member.name) if member else []
    return parts[0] if parts else None


def _parts(name: str) -> list[str]:
    return [p for p in PurePosixPath(name).parts if p != "."]


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as e:
        raise DataError(f"{path} is a damaged archive ({e}). Fetch it again.") from None


def _unpacked(path: Path) -> bytes:
    with _readable(path), gzip.open(path) as f:
        data = f.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise DataError(f"{path} unpacks to more than {MAX_BYTES:,} bytes; unpack it and give the folder.")
    return data


def _mapped(path: Path) -> np.ndarray[Any, Any]:
    return np.memmap(path, np.uint8, "r") if path.stat().st_size else np.empty(0, np.uint8)
