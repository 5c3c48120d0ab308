"""JPEGs coded again without loss, so that any band of rows can be decoded alone.

Decoding a JPEG is mostly undoing its Huffman codes, one after the other, and a crop needs only some of them. With a
restart marker before each row of minimum coded units (8 or 16 pixel rows) the decoder can begin at any of them. The
markers cost 0.1 % of the size: ImageNet's files, most of which have optimized Huffman tables, grow by that. Files with
the standard's tables shrink by 2 to 7 %. An image of 100 kB takes 2 ms.
"""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sightline.errors import SightlineError, extra_needed
from sightline.images.jpeg_segments import DHT, DRI, SOS, HuffmanTable, NotRecodable, Scan, scan_of

if TYPE_CHECKING:
    from sightline.images import jpeg_entropy as entropy

MAX_BYTES = 1 << 30
"""Larger files are kept as they are: positions are 32-bit."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recoded:
    """A JPEG of the same coefficients with one restart interval for each MCU row."""

    payload: bytes
    """A complete JPEG; its first `offsets[0]` bytes are the header that `band` wants."""
    offsets: npt.NDArray[np.uint32]
    """Byte position in `payload` where the entropy-coded bytes of each MCU row begin, and last the payload's length."""


def recoded(data: bytes) -> Recoded:
    """The same image with optimized Huffman tables and one restart interval for each MCU row.

    All DCT coefficients stay equal, hence all pixels; metadata segments are kept, bytes after the end of the image are
    not. Releases Python's lock. Raises NotRecodable for anything but an undamaged baseline Huffman JPEG of 8 bits, 1 or
    3 components and one scan; MissingExtraError without the extra `pack`.
    """
    entropy, huffman = _compiled()
    if len(data) > MAX_BYTES:
        raise NotRecodable("larger than 1 GiB")
    scan = scan_of(data)
    symbols = _symbols(data, scan)
    tables, codes = huffman.optimal_tables(symbols.counts)
    header = _header(scan, tables)
    # Each byte can be followed by a stuffed one; each row by a padded byte and a marker.
    code_bytes = int((symbols.counts * ((codes & 0xFF) + (np.arange(len(codes)) & 15))).sum()) // 8
    coded = np.empty(2 * code_bytes + 4 * (len(symbols.row_ends) + 1), np.uint8)
    offsets = np.empty(len(symbols.row_ends) + 1, np.int64)
    size = entropy.written(symbols, codes, coded, offsets)
    return Recoded(payload=header + coded[:size].tobytes(), offsets=(offsets + len(header)).astype(np.uint32))


def _compiled() -> tuple[ModuleType, ModuleType]:
    try:
        from sightline.images import jpeg_entropy, jpeg_huffman
    except ModuleNotFoundError as e:
        raise extra_needed(e, "Recoding JPEGs") or e from None
    except RuntimeError as e:
        raise SightlineError(
            f"Recoding JPEGs compiles its code once and wants to keep it, but no folder can be written to ({e}). "
            "Name one that can: set NUMBA_CACHE_DIR"
        ) from None
    return jpeg_entropy, jpeg_huffman


def _symbols(data: bytes, scan: Scan) -> entropy.Symbols:
    from sightline.images import jpeg_entropy as entropy
    from sightline.images.jpeg_huffman import NUM_CODES, decoding_of

    frame = scan.frame
    total = frame.num_rows * frame.num_columns
    interval = scan.restart_interval or total
    coded = np.frombuffer(data, np.uint8)[scan.start :]
    num_intervals = -(-total // interval)
    if num_intervals > len(coded):
        raise NotRecodable(entropy.REASONS[entropy.CUT])
    unstuffed, ends = np.zeros(len(coded) + entropy.SPARE, np.uint8), np.empty(num_intervals, np.int64)
    found = entropy.unstuffed(coded, unstuffed, ends)
    if found < 0:
        raise NotRecodable(entropy.REASONS[found])
    ends = ends[:found]
    plan = entropy.Plan(frame.num_rows, frame.num_columns, interval, np.array(frame.blocks))
    # A symbol takes at least one bit; that an MCU went beyond the end is noticed after it, and there is room for one
    # more. Memory that is not used is never touched.
    most = 8 * int(ends[-1]) + 2 * entropy.BLOCK * len(frame.blocks)
    symbols = entropy.Symbols(
        np.empty(most, np.uint32), np.empty(frame.num_rows, np.int64), np.zeros(NUM_CODES, np.int64)
    )
    tables = [table for pair in scan.tables for table in pair]
    count = entropy.read(entropy.Source(unstuffed, ends), plan, decoding_of(tables), symbols)
    if count < 0:
        raise NotRecodable(entropy.REASONS[count])
    return symbols


def _header(scan: Scan, tables: list[HuffmanTable]) -> bytes:
    frame = scan.frame
    # Table numbers: class (0 DC, 1 AC) << 4 | destination (0 for the first component, 1 for the others).
    codes = b"".join(bytes([(i & 1) << 4 | i >> 1]) + table.counts + table.symbols for i, table in enumerate(tables))
    chosen = itertools.chain.from_iterable((c.identifier, 0x11 if i else 0) for i, c in enumerate(frame.components))
    parameters = bytes([len(frame.components), *chosen, 0, 63, 0])
    interval = struct.pack(">H", frame.num_columns)
    return b"".join(
        (b"\xff\xd8", *scan.kept, _segment(DHT, codes), _segment(DRI, interval), _segment(SOS, parameters))
    )


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
