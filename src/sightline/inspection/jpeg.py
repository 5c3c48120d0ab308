"""What the marker segments of a JPEG say about its encoder; lenient where decoders are."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

import numpy as np

from sightline.inspection.exif import exif_facts

_SOS, _DQT, _APP1, _APP2 = 0xDA, 0xDB, 0xE1, 0xE2
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_SUBSAMPLING = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (1, 2): "4:4:0", (4, 1): "4:1:1", (4, 2): "4:1:0"}
"""Horizontal and vertical sampling of luminance over that of chrominance."""

_LUMINANCE = (
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61,
    60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113,
    121, 112, 100, 120, 92, 101, 103, 99,
)  # fmt: skip
"""Table K.1 of ITU-T T.81 in the zigzag order in which files hold it."""


def jpeg_facts(payload: bytes) -> dict[str, Any]:
    """Quality, tables, subsampling, scan order, colour profile and camera of a JPEG, as far as its header tells."""
    facts: dict[str, Any] = {"is_progressive": False}
    tables: dict[int, bytes] = {}
    for marker, start, stop in _segments(payload):
        if marker == _DQT:
            tables |= _tables(payload[start:stop])
        elif marker in _FRAMES:
            facts |= {"is_progressive": marker in _PROGRESSIVE, "subsampling": _subsampling(payload[start:stop])}
        elif marker == _APP1 and payload[start : start + 6] == b"Exif\0\0":
            facts |= exif_facts(payload[start:stop])
        elif marker == _APP2 and payload[start : start + 12] == b"ICC_PROFILE\0":
            facts["has_icc"] = True
    if 0 in tables:
        facts["jpeg_quality"] = quality_of(tables[0])
    if tables:
        facts["jpeg_tables"] = _hash_of(b"".join(tables[i] for i in sorted(tables)))
    return facts


def _segments(payload: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker of each segment before the first scan, and where what it holds begins and ends."""
    at, end = 2, len(payload)
    while at + 4 <= end:
        if payload[at] != 0xFF:
            return
        marker = payload[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == _SOS or marker <= 0x01 or 0xD0 <= marker <= 0xD9:
            return
        stop = at + 2 + (payload[at + 2] << 8 | payload[at + 3])
        yield marker, at + 4, min(stop, end)
        at = stop


def _tables(body: bytes) -> dict[int, bytes]:
    """Quantization tables by number: 64 values in zigzag order, as big-endian 16-bit numbers."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(body):
        wide, number = body[at] >> 4, body[at] & 15
        size = 128 if wide else 64
        values = body[at + 1 : at + 1 + size]
        if len(values) < size:
            break
        found[number] = values if wide else struct.pack(">64H", *values)
        at += 1 + size
    return found


def _subsampling(body: bytes) -> str | None:
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        return None
    factors = [(body[7 + 3 * i] >> 4, body[7 + 3 * i] & 15) for i in range(body[5])]
    if len(factors) == 1:
        return "4:0:0"
    (h, v), (ch, cv) = factors[0], factors[1]
    if not ch or not cv or h % ch or v % cv:
        return "other"
    return _SUBSAMPLING.get((h // ch, v // cv), "other")


@lru_cache(4096)
def _hash_of(tables: bytes) -> str:
    return hashlib.sha256(tables).hexdigest()[:12]


@lru_cache(4096)
def quality_of(table: bytes) -> int:
    """1 … 100: libjpeg's quality whose luminance table has the smallest sum of differences to this one.

    `table` is 64 numbers of 16 bits, big-endian, in zigzag order.
    """
    values = np.frombuffer(table, ">u2").astype(np.int64)
    return int(np.abs(_scaled() - values).sum(1).argmin()) + 1


@cache
def _scaled() -> np.ndarray[Any, Any]:
    """libjpeg's luminance tables of the qualities 1 … 100, int64 [100, 64]."""
    scale = np.array([5000 // q if q < 50 else 200 - 2 * q for q in range(1, 101)], np.int64)
    return np.clip((np.array(_LUMINANCE) * scale[:, None] + 50) // 100, 1, 255)
