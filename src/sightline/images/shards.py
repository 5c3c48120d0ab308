"""Packed shards: payloads at byte ranges of plain tar files, and beside each the places where its rows begin.

A shard `NAME.tar` has a companion `NAME.rows.arrow`, an Arrow IPC file with one row for each image of the shard, in the
shard's order, and the column `bands`: for a recoded JPEG the byte position in its payload of each MCU row, and last the
payload's length; null for what is decoded whole. It is mapped into memory: 250 MB for ImageNet, of which only the pages
that are used take memory, and those the system may drop.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sightline.errors import DataError, DecodeError
from sightline.images.jpeg_bands import band
from sightline.images.ranges import Ranges

BANDS = pa.schema([pa.field("bands", pa.list_(pa.uint32()))])
"""Schema of a shard's companion."""


def companion_of(shard: str | Path) -> Path:
    """Path of the companion that belongs to a shard."""
    return Path(shard).with_suffix(".rows.arrow")


class Shards:
    """Byte ranges of shard files, kept open; safe to share between threads."""

    def __init__(self, ranges: Ranges) -> None:
        self._lock = threading.Lock()
        self._ranges = ranges
        self._bands: dict[str, _Bands] = {}

    def payload(self, shard: str, offset: int, length: int) -> bytes:
        """A whole payload. Raises DecodeError naming shard and offset when the shard is too short, OSError."""
        try:
            return self._read(shard, offset, 0, length)
        except DecodeError as e:
            raise damaged(shard, offset, e) from None

    def band(self, shard: str, row: int, offset: int, length: int, top: int, bottom: int) -> tuple[bytes, int] | None:
        """A small JPEG that holds image rows `top` … `bottom` - 1 of image number `row` of a shard, and its first row.

        None where the image can only be decoded whole. Raises DecodeError naming shard and offset for bytes that do not
        fit the companion, DataError when the companion itself is damaged or belongs to another shard, OSError.
        """
        known = self._bands.get(shard)
        if known is None:
            known = self._opened(shard)
        offsets = known.offsets(row, length)
        if offsets is None:
            return None

        def read(start: int, stop: int) -> bytes:
            return self._read(shard, offset, start, stop)

        try:
            return band(read, read(0, int(offsets[0])), offsets, top, bottom)
        except DecodeError as e:
            raise damaged(shard, offset, e) from None

    def _read(self, shard: str, offset: int, start: int, stop: int) -> bytes:
        """Bytes `start` … `stop` - 1 of the payload that begins at `offset`."""
        return self._ranges.read(shard, offset + start, offset + stop)

    def _opened(self, shard: str) -> _Bands:
        with self._lock:
            if shard not in self._bands:
                self._bands[shard] = _Bands(companion_of(shard))
            return self._bands[shard]


def damaged(shard: str, offset: int, reason: DecodeError) -> DecodeError:
    """The error about an image that lies at `offset` of a shard."""
    return DecodeError(f"{shard}, byte {offset:,}: {reason}")


class _Bands:
    """The companion of a shard, checked once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with pa.memory_map(str(path)) as source:
                table = pa.ipc.open_file(source).read_all()
            table.validate(full=True)  # offsets inside the file, in order: what lies outside would be read unseen
            if not table.schema.equals(BANDS):
                raise pa.ArrowInvalid(f"columns {table.schema.names}, wanted {BANDS.names}")
        except FileNotFoundError:
            raise DataError(f"{path} is missing; it says where the rows of packed images begin. Restore it from a "
                            "copy, or convert the study again.") from None
        except (pa.ArrowInvalid, OSError) as e:
            raise self._wrong(str(e)) from None
        column = table["bands"].combine_chunks()
        self._starts: npt.NDArray[Any] = column.offsets.to_numpy()
        self._values: npt.NDArray[np.uint32] = column.values.to_numpy()
        rises = np.diff(self._values.astype(np.int64)) > 0
        between = self._starts[(self._starts > 0) & (self._starts < len(self._values))]
        rises[between - 1] = True  # from one image to the next
        if not rises.all():
            raise self._wrong("rows do not follow one another")

    def offsets(self, row: int, length: int) -> npt.NDArray[np.uint32] | None:
        """Where the MCU rows of an image begin in its payload of `length` bytes, and its end; None if not known."""
        if not 0 <= row < len(self._starts) - 1:
            raise self._wrong(f"it has {len(self._starts) - 1} images, the sample table asks for number {row}")
        start, stop = int(self._starts[row]), int(self._starts[row + 1])
        if start == stop:
            return None
        offsets = self._values[start:stop]
        if int(offsets[-1]) != length:
            raise self._wrong(f"image {row} has {int(offsets[-1])} bytes, in the sample table {length}")
        return offsets

    def _wrong(self, what: str) -> DataError:
        return DataError(f"{self._path} is damaged or belongs to another shard: {what}. Restore it from a copy, or "
                         "convert the study again.")  # fmt: skip

