"""What the marker segments of a JPEG say (ITU-T T.81, annex B).

Strict where decoders are lenient: a file that is unusual in any way is refused with a reason, and whoever asked keeps
it as it is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from sightline.images.decoding import MAX_PIXELS

DHT, SOS, DQT, DRI = 0xC4, 0xDA, 0xDB, 0xDD
FRAMES = frozenset({0xC0, 0xC1})
"""Markers of a sequential Huffman frame header: SOF0, SOF1."""
_COMMENTS = {*range(0xE0, 0xF0), 0xFE}
_FRAME_REASONS = {
    0xC2: "progressive", 0xC3: "lossless", 0xC5: "hierarchical", 0xC6: "hierarchical", 0xC7: "hierarchical",
    0xC9: "arithmetic coding", 0xCA: "arithmetic coding", 0xCB: "arithmetic coding", 0xCC: "arithmetic coding",
    0xCD: "arithmetic coding", 0xCE: "arithmetic coding", 0xCF: "arithmetic coding", 0xDE: "hierarchical",
}  # fmt: skip
_MAX_BLOCKS = 10  # in one MCU, T.81 B.2.3
_DAMAGED_HEADER = "damaged header"


class NotRecodable(Exception):  # noqa: N818 - a verdict on a file, caught by whoever stores it as it is
    """A JPEG to be stored as it is; the message is the reason, one of a few that can be counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One colour component of a frame."""

    identifier: int
    horizontal: int
    """Sampling factor, 1 … 4."""
    vertical: int
    quantization: int
    """Number of its quantization table, 0 … 3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The frame header of a baseline JPEG."""

    height: int
    width: int
    components: tuple[Component, ...]

    @property
    def blocks(self) -> tuple[int, ...]:
        """Component of each block of a minimum coded unit (MCU); a lone component is coded block by block."""
        if len(self.components) == 1:
            return (0,)
        return tuple(i for i, c in enumerate(self.components) for _ in range(c.horizontal * c.vertical))

    @property
    def num_rows(self) -> int:
        """Rows of MCUs."""
        return -(-self.height // (8 * self._largest([c.vertical for c in self.components])))

    @property
    def num_columns(self) -> int:
        """MCUs in a row."""
        return -(-self.width // (8 * self._largest([c.horizontal for c in self.components])))

    def _largest(self, factors: list[int]) -> int:
        return max(factors) if len(factors) > 1 else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HuffmanTable:
    """A Huffman table as a DHT segment gives it."""

    counts: bytes
    """Number of codes of length 1 … 16."""
    symbols: bytes
    """In the order of their codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A baseline JPEG up to its entropy-coded bytes."""

    frame: Frame
    kept: tuple[bytes, ...]
    """The segments that hold for any coding of the same coefficients: metadata, quantization, frame."""
    tables: tuple[tuple[HuffmanTable, HuffmanTable], ...]
    """DC and AC table of each component."""
    restart_interval: int
    """MCUs between restart markers; 0 for none."""
    start: int
    """Where the entropy-coded bytes begin."""


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, position and end of each segment from the first to SOS; the position is that of its 0xFF."""
    if data[:2] != b"\xff\xd8":
        raise NotRecodable("not a JPEG")
    position, end = 2, len(data)
    while position + 4 <= end:
        if data[position] != 0xFF:
            raise NotRecodable(_DAMAGED_HEADER)
        marker = data[position + 1]
        if marker == 0xFF:  # any number of fill bytes may stand before a marker
            position += 1
            continue
        stop = position + 2 + (data[position + 2] << 8 | data[position + 3])
        # 0x01 and 0xD0 … 0xD9 stand alone and have no length; none has a place in a header.
        if stop > end or stop < position + 4 or marker <= 0x01 or 0xD0 <= marker <= 0xD9:
            raise NotRecodable(_DAMAGED_HEADER)
        yield marker, position, stop
        if marker == SOS:
            return
        position = stop
    raise NotRecodable(_DAMAGED_HEADER)


def _frame_of(data: bytes, position: int, stop: int) -> Frame:
    """Frame that the segment at `position` … `stop` describes."""
    if stop < position + 10:
        raise NotRecodable(_DAMAGED_HEADER)
    bits, height, width, count = struct.unpack_from(">BHHB", data, position + 4)
    if stop != position + 10 + 3 * count or not width:
        raise NotRecodable(_DAMAGED_HEADER)
    if bits != 8:
        raise NotRecodable("not 8 bits")
    if count not in {1, 3}:
        raise NotRecodable("neither 1 nor 3 components")
    if not height:
        raise NotRecodable("height stands behind the image")
    parts = (data[at : at + 3] for at in range(position + 10, stop, 3))
    components = tuple(
        Component(identifier=i, horizontal=hv >> 4, vertical=hv & 15, quantization=q) for i, hv, q in parts
    )
    return Frame(height=height, width=width, components=components)


def scan_of(data: bytes) -> Scan:
    """What stands before the entropy-coded bytes of a baseline JPEG. Raises NotRecodable for any other file."""
    frame: Frame | None = None
    kept: list[bytes] = []
    tables: dict[int, HuffmanTable] = {}
    quantizations: set[int] = set()
    interval = 0
    for marker, position, stop in _segments(data):
        body = data[position + 4 : stop]
        if marker == SOS:
            if frame is None or not {c.quantization for c in frame.components} <= quantizations:
                break
            return Scan(
                frame=frame, kept=tuple(kept), tables=_tables_of_scan(body, frame, tables), restart_interval=interval,
                start=stop,
            )  # fmt: skip
        if marker == DHT:
            tables |= _huffman_tables(body)
            continue
        if marker == DRI:
            if len(body) != 2:
                break
            interval = int.from_bytes(body, "big")
            continue
        if marker in FRAMES:
            if frame is not None:
                break
            frame = _frame_of(data, position, stop)
            _check_sampling(frame)
        elif marker == DQT:
            quantizations |= _quantization_numbers(body)
        elif marker not in _COMMENTS:
            raise NotRecodable(_FRAME_REASONS.get(marker, "unusual marker"))
        kept.append(data[position:stop])
    raise NotRecodable(_DAMAGED_HEADER)


def _check_sampling(frame: Frame) -> None:
    if frame.height * frame.width > MAX_PIXELS:
        raise NotRecodable(f"more than {MAX_PIXELS:,} pixels")
    if len({c.identifier for c in frame.components}) != len(frame.components):
        raise NotRecodable(_DAMAGED_HEADER)
    across = [c.horizontal for c in frame.components]
    down = [c.vertical for c in frame.components]
    if not all(1 <= factor <= 4 for factor in across + down):
        raise NotRecodable(_DAMAGED_HEADER)
    if len(frame.components) == 1:
        return
    is_whole = all(max(factors) % factor == 0 for factors in (across, down) for factor in factors)
    if not is_whole or sum(c.horizontal * c.vertical for c in frame.components) > _MAX_BLOCKS:
        raise NotRecodable("unusual sampling factors")


def _huffman_tables(body: bytes) -> dict[int, HuffmanTable]:
    """Tables of a DHT segment by class and number: 0 … 3 for DC, 16 … 19 for AC."""
    found: dict[int, HuffmanTable] = {}
    at = 0
    while at < len(body):
        key, counts = body[at], body[at + 1 : at + 17]
        total = sum(counts)
        symbols = body[at + 17 : at + 17 + total]
        if key & 0xEC or len(counts) != 16 or total > 256 or len(symbols) != total:
            raise NotRecodable(_DAMAGED_HEADER)
        found[key] = HuffmanTable(counts=counts, symbols=symbols)
        at += 17 + total
    return found


def _quantization_numbers(body: bytes) -> set[int]:
    found: set[int] = set()
    at = 0
    while at < len(body):
        precision, number = body[at] >> 4, body[at] & 15
        at += 1 + 64 * (precision + 1)
        if precision > 1 or number > 3 or at > len(body):
            raise NotRecodable(_DAMAGED_HEADER)
        found.add(number)
    return found


def _tables_of_scan(
    body: bytes, frame: Frame, tables: dict[int, HuffmanTable]
) -> tuple[tuple[HuffmanTable, HuffmanTable], ...]:
    count = len(frame.components)
    if not body or len(body) != 4 + 2 * body[0]:
        raise NotRecodable(_DAMAGED_HEADER)
    if body[0] != count:
        raise NotRecodable("more than one scan")
    if body[1 : 1 + 2 * count : 2] != bytes(c.identifier for c in frame.components) or body[-3:] != b"\0\x3f\0":
        raise NotRecodable(_DAMAGED_HEADER)
    chosen = []
    for both in body[2 : 2 + 2 * count : 2]:
        dc, ac = tables.get(both >> 4), tables.get(16 | both & 15)
        if dc is None or ac is None or both & 0xCC or any(symbol > 15 for symbol in dc.symbols):
            raise NotRecodable(_DAMAGED_HEADER)
        chosen.append((dc, ac))
    return tuple(chosen)
