"""What the encoded bytes of an image say about where they came from; nothing is decoded.

Every walk is bounded by the bytes there are. What is damaged says nothing: whether a file can be read is the decoder's
verdict.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any

from PIL import Image

from sightline.errors import DecodeError
from sightline.images.codecs import PILLOW_FORMATS, codec_of
from sightline.inspection.exif import exif_facts
from sightline.inspection.jpeg import jpeg_facts

_MAX_PAGES = 1 << 16
_ICC_TAG = 34675


def file_facts(payload: bytes) -> dict[str, Any]:
    """Columns of `inspection.FACTS` that follow from the bytes alone."""
    begins_as = beginning_of(payload)
    facts: dict[str, Any] = {"num_bytes": len(payload), "begins_as": begins_as, "num_frames": 1, "has_icc": False}
    told = _TELLERS.get(begins_as)
    try:
        return facts | (told(payload) if told is not None else {})
    except (struct.error, IndexError, ValueError, UnicodeError, OverflowError, OSError, SyntaxError,
            Image.DecompressionBombError):  # fmt: skip
        return facts


def beginning_of(payload: bytes) -> str:
    """What the first bytes are: a codec (`images.Header`), or empty | html | text | unknown."""
    if not payload:
        return "empty"
    try:
        codec = codec_of(payload[:16])
    except DecodeError:
        codec = ""
    if codec and (codec != "bmp" or payload[6:10] == b"\0\0\0\0"):  # BM begins words, too
        return codec
    head = payload[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<script", b"<?xml", b"<body", b"<svg")):
        return "html"
    return "text" if head and _is_text(payload[:1024]) else "unknown"


def _is_text(head: bytes) -> bool:
    try:
        words = head[: len(head) - 3 if len(head) == 1024 else None].decode()  # a character may be cut at the end
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c.isspace() for c in words)


def _png_chunks(payload: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind of each chunk, and where its data begin and end."""
    at = 8
    while at + 8 <= len(payload):
        size, kind = struct.unpack_from(">I4s", payload, at)
        yield kind, at + 8, min(at + 8 + size, len(payload))
        at += 12 + size


def _of_png(payload: bytes) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for kind, start, stop in _png_chunks(payload):
        if kind == b"acTL":
            facts["num_frames"] = min(struct.unpack_from(">I", payload, start)[0], _MAX_PAGES)
        elif kind == b"iCCP":
            facts["has_icc"] = True
        elif kind == b"eXIf":
            facts |= exif_facts(payload[start:stop])
    return facts


def _of_webp(payload: bytes) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    at, frames = 12, 0
    while at + 8 <= len(payload):
        kind, size = struct.unpack_from("<4sI", payload, at)
        frames += kind == b"ANMF"
        if kind == b"ICCP":
            facts["has_icc"] = True
        elif kind == b"EXIF":
            facts |= exif_facts(payload[at + 8 : at + 8 + size])
        at += 8 + size + (size & 1)
    return facts | {"num_frames": max(frames, 1)}


def _of_gif(payload: bytes) -> dict[str, Any]:
    flags, at, frames = payload[10], 13, 0
    at += 3 << (flags & 7) + 1 if flags & 0x80 else 0
    while at < len(payload) and payload[at] in b"!,":
        if payload[at] == 0x2C:
            frames += 1
            own = payload[at + 9]
            at += 10 + (3 << (own & 7) + 1 if own & 0x80 else 0) + 1
        else:
            at += 2
        while payload[at]:
            at += payload[at] + 1
        at += 1
    return {"num_frames": max(frames, 1)}


def _of_tiff(payload: bytes) -> dict[str, Any]:
    facts = exif_facts(payload)
    end = "<" if payload[:2] == b"II" else ">"
    if struct.unpack_from(f"{end}H", payload, 2)[0] != 42:
        return facts
    at, pages, seen = struct.unpack_from(f"{end}I", payload, 4)[0], 0, set()
    while at and at not in seen and pages < _MAX_PAGES:
        seen.add(at)
        count = struct.unpack_from(f"{end}H", payload, at)[0]
        if not pages:
            tags = (struct.unpack_from(f"{end}H", payload, at + 2 + 12 * i)[0] for i in range(count))
            facts["has_icc"] = _ICC_TAG in tags
        pages += 1
        at = struct.unpack_from(f"{end}I", payload, at + 2 + 12 * count)[0]
    return facts | {"num_frames": max(pages, 1)}


def _of_avif(payload: bytes) -> dict[str, Any]:
    # Its boxes lead to its facts by tables of offsets; Pillow's parser reads those, and no pixel.
    with Image.open(io.BytesIO(payload), formats=[PILLOW_FORMATS["avif"]]) as image:
        facts = {"num_frames": min(getattr(image, "n_frames", 1), _MAX_PAGES), "has_icc": "icc_profile" in image.info}
        return facts | exif_facts(image.info.get("exif", b"").removeprefix(b"Exif\0\0"))


_TELLERS = {"jpeg": jpeg_facts, "png": _of_png, "webp": _of_webp, "gif": _of_gif, "tiff": _of_tiff, "avif": _of_avif}
