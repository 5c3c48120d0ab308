"""Samples as tar files in the WebDataset convention: files that share a name up to its first dot are one sample."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from sightline.artifacts import written_whole

SHARD_BYTES = 1_000_000_000
"""A shard takes no further sample that would make it larger."""
BLOCK = 512
SUFFIXES = {"jpeg": "jpg", "png": "png", "gif": "gif", "bmp": "bmp", "tiff": "tif", "webp": "webp", "jp2": "jp2",
            "ppm": "ppm", "avif": "avif"}  # fmt: skip
"""Codec → name of its files."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sample lies."""

    shard: int
    row: int
    """Its number in the shard, from 0."""
    offset: int
    """Byte at which the data of its first file begins."""


class TarShards:
    """A writer of `shard-00000.tar`, `shard-00001.tar`, …, each whole or not at all; a context manager.

    `closed(path)` is called for each shard when all of its samples are in it. The same samples give the same bytes.
    """

    def __init__(self, folder: Path, closed: Callable[[Path], None]) -> None:
        self._folder, self._closed = folder, closed
        self._shard, self._row, self._position = -1, 0, 0
        self._file: BinaryIO | None = None
        self._writing = ExitStack()

    def __enter__(self) -> TarShards:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._finish()
        self._writing.__exit__(kind, error, trace)

    @property
    def num_shards(self) -> int:
        """Shards begun so far."""
        return self._shard + 1

    def add(self, files: Sequence[tuple[str, bytes]]) -> Place:
        """Write the files of one sample, by name, and return where they are."""
        blocks = b"".join(entry(name, data) for name, data in files)
        if self._file is None or (self._row and self._position + len(blocks) + 2 * BLOCK > SHARD_BYTES):
            self._finish()
            self._begin()
        assert self._file is not None
        place = Place(self._shard, self._row, self._position + BLOCK)
        self._file.write(blocks)
        self._position += len(blocks)
        self._row += 1
        return place

    def _begin(self) -> None:
        self._shard += 1
        self._row = self._position = 0
        temporary = self._writing.enter_context(written_whole(self._path))
        self._file = self._writing.enter_context(temporary.open("wb"))

    def _finish(self) -> None:
        if self._file is not None:
            self._file.write(bytes(2 * BLOCK))
            self._file = None
            self._writing.close()
            self._closed(self._path)

    @property
    def _path(self) -> Path:
        return self._folder / name_of(self._shard)


def name_of(shard: int) -> str:
    """File name of a shard."""
    return f"shard-{shard:05d}.tar"


def entry(name: str, data: bytes) -> bytes:
    """Header, data and padding of a file in a tar; without owner and time, which would differ between two writings."""
    about = tarfile.TarInfo(name)
    about.size = len(data)
    return about.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % BLOCK)
