"""The pages of an LMDB data file: every key with the byte range of its value.

Values lie in the file as they were put, so an image in LMDB is a byte range like one in a tar. The library maps a file
and trusts it: one that was cut short ends the process. Here each page is checked before it is followed, and readers
need no environment, which a process may open only once.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sightline.errors import DataError

MAGIC = 0xBEEFC0DE
_HEAD = 16
_NODE = 8
_BRANCH, _LEAF, _OVERFLOW, _META = 1, 2, 4, 8
_BIG, _SUB_DATABASE, _DUPLICATES = 1, 2, 4
_SORTED_DUPLICATES = 4
_NO_PAGE = (1 << 64) - 1
_MAX_DEPTH = 32
_VERSION = 1


class Entry(NamedTuple):
    """A key and where its value lies in the file."""

    key: bytes
    offset: int
    length: int


class _Meta(NamedTuple):
    page_size: int
    root: int
    flags: int
    transaction: int


def is_database(file: Path) -> bool:
    """Whether a file begins as a data file of LMDB does."""
    with file.open("rb") as f:
        head = f.read(_HEAD + 4)
    return len(head) == _HEAD + 4 and struct.unpack_from("<I", head, _HEAD)[0] == MAGIC


class Database:
    """A data file, mapped for reading."""

    def __init__(self, file: Path, data: mmap.mmap) -> None:
        self.data = data
        self._file = file
        first = self._meta(0)
        # Two states take turns; a file with one of them alone would pass for a database from before its first value.
        self._state = max(first, self._meta(first.page_size), key=lambda m: m.transaction)

    def entries(self) -> Iterator[Entry]:
        """All keys in byte order. Raises DataError for a damaged file, named databases and several values for a key."""
        if self._state.flags & _SORTED_DUPLICATES:
            raise DataError(f"{self._file} has several values for a key (dupsort); no image database has.")
        if self._state.root == _NO_PAGE:
            return
        left = len(self.data) // self._state.page_size + 1  # no page is reached twice
        pages = [(self._state.root, 1)]
        while pages:
            number, depth = pages.pop()
            left -= 1
            if left < 0 or depth > _MAX_DEPTH:
                raise self._damaged(number, "it is reached twice")
            start, flags = self._page(number)
            nodes = self._nodes(start, number)
            if flags & _BRANCH:
                children = [self._child(node) for node in nodes]
                pages += [(child, depth + 1) for child in reversed(children)]
            elif flags & _LEAF:
                for node in nodes:
                    yield self._entry(node, start, number)
            else:
                raise self._damaged(number, f"it is of the kind {flags}")

    def _meta(self, start: int) -> _Meta:
        if len(self.data) < start + _HEAD + 136:
            raise DataError(f"{self._file} ends inside its first pages. Fetch it again.")
        magic, version = struct.unpack_from("<II", self.data, start + _HEAD)
        if magic != MAGIC or version != _VERSION:
            got = f"got {version}" if magic == MAGIC else "it begins with other bytes"
            raise DataError(f"{self._file} is no LMDB data file of the format {_VERSION} ({got}). Copy it with the "
                            "mdb_copy of LMDB 0.9, or fetch it again.")  # fmt: skip
        (page_size,) = struct.unpack_from("<I", self.data, start + _HEAD + 24)
        flags, root = struct.unpack_from("<4xH34xQ", self.data, start + _HEAD + 72)
        (transaction,) = struct.unpack_from("<Q", self.data, start + _HEAD + 128)
        if page_size < 256 or page_size & (page_size - 1):
            raise DataError(f"{self._file} is damaged: pages of {page_size} bytes. Fetch it again.")
        return _Meta(page_size, root, flags, transaction)

    def _page(self, number: int) -> tuple[int, int]:
        """Where a page begins, and its kind."""
        start = number * self._state.page_size
        if start + self._state.page_size > len(self.data):
            raise self._damaged(number, f"the file ends at byte {len(self.data):,}")
        told, flags = struct.unpack_from("<Q2xH", self.data, start)
        if told != number:
            raise self._damaged(number, f"it calls itself {told}")
        return start, flags

    def _nodes(self, start: int, number: int) -> list[int]:
        """Where the nodes of a page begin in the file."""
        (lower,) = struct.unpack_from("<H", self.data, start + 12)
        if not _HEAD <= lower <= self._state.page_size:
            raise self._damaged(number, f"its list of nodes ends at {lower}")
        places = struct.unpack_from(f"<{(lower - _HEAD) // 2}H", self.data, start + _HEAD)
        if any(not _HEAD <= p <= self._state.page_size - _NODE for p in places):
            raise self._damaged(number, "a node lies outside of it")
        return [start + p for p in places]

    def _child(self, node: int) -> int:
        low, high, top = struct.unpack_from("<3H", self.data, node)
        return int(low | high << 16 | top << 32)

    def _entry(self, node: int, start: int, number: int) -> Entry:
        low, high, flags, key_length = struct.unpack_from("<4H", self.data, node)
        length, begin = low | high << 16, node + _NODE + key_length
        stop = start + self._state.page_size
        if begin + (8 if flags & _BIG else length) > stop:
            raise self._damaged(number, "a value ends outside of it")
        key = self.data[node + _NODE : begin]
        if flags & (_SUB_DATABASE | _DUPLICATES):
            raise DataError(f"{self._file} holds databases inside it ({key!r}). Copy the one with the images into a "
                            "file of its own.")  # fmt: skip
        if not flags & _BIG:
            return Entry(key, begin, length)
        (far,) = struct.unpack_from("<Q", self.data, begin)
        far_start, kind = self._page(far)
        (pages,) = struct.unpack_from("<I", self.data, far_start + 12)
        end = far_start + _HEAD + length
        if not kind & _OVERFLOW or end > far_start + pages * self._state.page_size or end > len(self.data):
            raise self._damaged(far, f"it does not hold a value of {length:,} bytes")
        return Entry(key, far_start + _HEAD, length)

    def _damaged(self, number: int, why: str) -> DataError:
        return DataError(f"{self._file} is damaged at page {number}: {why}. Fetch it again.")


@contextmanager
def opened(file: Path) -> Iterator[Database]:
    """A data file for reading. Raises DataError when it is none."""
    if file.stat().st_size == 0:
        raise DataError(f"{file} is empty. Fetch it again.")
    with file.open("rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield Database(file, data)


def entries(file: Path) -> list[Entry]:
    """All keys of a data file in byte order, with the places of their values."""
    with opened(file) as database:
        return list(database.entries())
