"""Headers of a tar file, read without the data between them.

The standard library reads 65,000 members a second. Here a plain member costs one read of 512 bytes; names and checksums
are looked at for thousands of headers at once. What is not a plain file (long names, sparse files, links, PAX headers
that change a size or a name) the standard library judges.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import DataError

BLOCK = 512
BATCH = 4096
"""Headers whose names and checksums are looked at together."""
MAX_EXTENSION = 1 << 20
"""Bytes of a header's extension (a long name, PAX records); more is no name."""
MAX_EXTENSIONS = 8
"""Extensions in front of one member."""

_PLAIN = frozenset(b"0\0")
_PAX = ord("x")
_EXTENSIONS = frozenset(b"LKxgX")
_END = bytes(BLOCK)
_NAME, _SIZE, _CHECKSUM, _KIND, _MAGIC, _PREFIX = 100, 124, 148, 156, 257, 345
_CHANGING = (b" path=", b" linkpath=", b" size=", b" GNU.sparse", b" hdrcharset=")
"""PAX records after which a header does not mean what it says; the others tell times and owners."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A member that is more than a name and a range of bytes."""

    name: str
    kind: str
    """file | folder | link (to a path from where it lies) | same (another name of a former member) | sparse | other."""
    offset: int
    size: int
    target: str = ""
    """Of a link."""


@dataclass(frozen=True, slots=True)
class PlainRun:
    """Members that are plain files, in the archive's order."""

    names: list[str]
    offsets: list[int]
    sizes: list[int]


def scan(path: Path, start: int = 0, stop: int | None = None, title: str = "") -> Iterator[PlainRun | Entry]:
    """Members of a tar file, or of the tar that lies at bytes `start` … `stop` - 1 of one, in order.

    Raises DataError when a header is damaged or the data ends inside a member: what follows would be missing unnoticed.
    """
    try:
        with path.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            yield from _Scan(file, start, size if stop is None else stop, title or str(path)).entries()
    except OSError as e:
        raise DataError(f"{title or path} cannot be read: {e.strerror or e}.") from None


class _Scan:
    def __init__(self, file: io.FileIO, start: int, stop: int, title: str) -> None:
        self.file, self.position, self.stop, self.title = file, start, stop, title
        self.start = start
        self.reader: tarfile.TarFile | None = None  # one for all: it remembers global PAX headers
        self.blocks: list[bytes] = []
        self.extensions: list[bytes] = []
        self.offsets: list[int] = []
        self.sizes: list[int] = []

    def entries(self) -> Iterator[PlainRun | Entry]:
        """All members: plain ones in runs, the others one by one."""
        while True:
            block = self._plain()
            if self.blocks:
                yield self._run()
            if block is not None:
                if not block or block == _END:
                    return
                yield self._odd()

    def _plain(self) -> bytes | None:
        """Read headers as long as they are plain; the first that is not, b"" at the end, None after a full batch."""
        pread, number, position, stop = os.pread, self.file.fileno(), self.position, self.stop
        blocks, offsets, sizes = self.blocks, self.offsets, self.sizes
        block: bytes | None = None
        while len(blocks) < BATCH:
            block = pread(number, BLOCK, position) if position + BLOCK <= stop else b""
            if len(block) < BLOCK:
                break
            kind = block[_KIND]
            if kind == _PAX and (skipped := self._behind_extension(block, position)):
                position = skipped
                continue
            if kind not in _PLAIN or block[135] not in b"\0 ":
                break
            try:
                size = int(block[_SIZE:135], 8)
            except ValueError:
                break
            blocks.append(block)
            position += BLOCK
            offsets.append(position)
            sizes.append(size)
            position += size + -size % BLOCK
            block = None
        self.position = position
        self._check_end(is_at_end=block == b"")
        return block

    def _check_end(self, *, is_at_end: bool) -> None:
        """Raise DataError when the last member, or a header, is cut off."""
        if self.offsets and self.offsets[-1] + self.sizes[-1] > self.stop:
            raise self._cut_off(self.offsets[-1] - BLOCK)
        if is_at_end and self.position != self.stop:
            raise self._cut_off(self.position)

    def _cut_off(self, position: int) -> DataError:
        return DataError(f"{self.title} is cut off: the member whose header is at byte {position:,} goes on behind its "
                         "end, and members behind it are missing. Fetch it again.")  # fmt: skip

    def _run(self) -> PlainRun:
        """The plain members read so far, checked."""
        headers = np.frombuffer(b"".join(self.blocks), np.uint8).reshape(-1, BLOCK)
        wrong = _wrong_sums(headers, self.blocks)
        if wrong >= 0:
            raise self._damaged(self.offsets[wrong] - BLOCK)
        if self.extensions:
            beside = np.frombuffer(b"".join(self.extensions), np.uint8).reshape(-1, BLOCK)
            if _wrong_sums(beside, self.extensions) >= 0:
                raise self._damaged(self.offsets[0], "the checksum of a PAX header behind it is wrong")
        run = PlainRun(_names(headers, self.blocks), self.offsets, self.sizes)
        self.blocks, self.extensions, self.offsets, self.sizes = [], [], [], []
        return run

    def _damaged(self, position: int, why: str = "its checksum is wrong") -> DataError:
        if position == self.start:
            return DataError(f"{self.title} is not a tar file, or is damaged from its first byte on. Fetch it again.")
        return DataError(f"{self.title} is damaged: the header at byte {position:,} cannot be trusted ({why}). Fetch "
                         "it again.")  # fmt: skip

    def _behind_extension(self, block: bytes, position: int) -> int:
        """Where the header behind a PAX header begins that changes neither name nor size; 0 where it may do so."""
        size = _octal(block[_SIZE:136])
        if not 0 <= size <= MAX_EXTENSION:
            return 0
        records = os.pread(self.file.fileno(), size, position + BLOCK)
        if len(records) < size or any(word in records for word in _CHANGING):
            return 0
        behind = position + BLOCK + size + -size % BLOCK
        if behind + BLOCK > self.stop:
            raise self._cut_off(position)
        self.extensions.append(block)
        return behind

    def _odd(self) -> Entry:
        """The member at the present position as the standard library understands it."""
        at = self.position
        self._refuse_long_extensions(at)
        if self.reader is None:
            self.reader = tarfile.TarFile(fileobj=io.BytesIO(bytes(2 * BLOCK)), errorlevel=2)
            self.reader.fileobj = self.file
        reader = self.reader
        self.file.seek(at)
        reader.offset = at
        try:
            info = tarfile.TarInfo.fromtarfile(reader)
        except (tarfile.HeaderError, tarfile.ReadError, ValueError, RecursionError, OverflowError) as e:
            raise self._damaged(at, str(e)) from None
        if info.size < 0 or reader.offset <= at:
            raise self._damaged(at, f"a member of {info.size} bytes")
        self.position = reader.offset
        if info.isreg() and info.offset_data + info.size > self.stop and info.sparse is None:
            raise self._cut_off(at)
        kind = ("sparse" if info.issparse() else "folder" if info.isdir() else "file" if info.isreg()
                else "link" if info.issym() else "same" if info.islnk() else "other")  # fmt: skip
        return Entry(info.name, kind, info.offset_data, info.size, info.linkname)

    def _refuse_long_extensions(self, position: int) -> None:
        """Raise DataError for extensions that would be read whole although no name is that long."""
        for _ in range(MAX_EXTENSIONS + 1):
            block = os.pread(self.file.fileno(), BLOCK, position)
            if len(block) < BLOCK or block[_KIND] not in _EXTENSIONS:
                return
            size = _octal(block[_SIZE:136])
            if not 0 <= size <= MAX_EXTENSION:
                raise self._damaged(position, "its name or attributes claim to be huge")
            position += BLOCK + size + -size % BLOCK
        raise self._damaged(position, f"more than {MAX_EXTENSIONS} extensions in front of one member")


def _wrong_sums(headers: np.ndarray[Any, Any], blocks: list[bytes]) -> int:
    """Position of the first header whose checksum is not that of its bytes; -1 where there is none."""
    # Bytes count as unsigned; some old writers took them as signed.
    told = np.asarray([_octal(block[_CHECKSUM:_KIND]) for block in blocks], np.int64)
    signed = headers.view(np.int8)
    unsigned_sums = headers.sum(1, dtype=np.int64) - headers[:, _CHECKSUM:_KIND].sum(1, dtype=np.int64) + 8 * 32
    wrong = np.flatnonzero(unsigned_sums != told)
    for i in wrong.tolist():
        if told[i] != int(signed[i].sum(dtype=np.int64) - signed[i, _CHECKSUM:_KIND].sum(dtype=np.int64)) + 8 * 32:
            return int(i)
    return -1


def _octal(field: bytes) -> int:
    """The number in an octal field, -1 where there is none."""
    try:
        return int(field.split(b"\0", 1)[0], 8)
    except ValueError:
        return -1


def _names(headers: np.ndarray[Any, Any], blocks: list[bytes]) -> list[str]:
    short = np.ascontiguousarray(headers[:, :_NAME]).view("S100").ravel().tolist()
    names = b"\0".join(short).decode("utf-8", "surrogateescape").split("\0")
    if len(names) != len(blocks):  # something behind the end of a name
        names = [n.split(b"\0", 1)[0].decode("utf-8", "surrogateescape") for n in short]
    # Only POSIX archives have a prefix; GNU's keep times where it would be.
    for i in np.flatnonzero(headers[:, _PREFIX]).tolist():
        if blocks[i][_MAGIC : _MAGIC + 6] == b"ustar\0":
            prefix = blocks[i][_PREFIX:500].split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
            names[i] = f"{prefix}/{names[i]}"
    return names
