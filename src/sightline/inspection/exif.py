"""The few EXIF tags that tell which camera took an image, and when (Exif 2.32, TIFF 6.0)."""

from __future__ import annotations

import struct
from datetime import datetime
from typing import Any

_TEXTS = {271: "make", 272: "model", 305: "software", 306: "written"}
_EXIF_IFD, _ORIGINAL = 34665, 36867
_ASCII = 2
_MAX_CHARACTERS = 64
_MAX_ENTRIES = 512


def exif_facts(block: bytes) -> dict[str, Any]:
    """make, model, software and taken, where a TIFF structure holds them; damaged tags are left out."""
    block = block.removeprefix(b"Exif\0\0")
    end = {b"II": "<", b"MM": ">"}.get(block[:2])
    if end is None:
        return {}
    try:
        found, below = _entries(block, end, struct.unpack_from(f"{end}I", block, 4)[0])
        if below is not None:
            found |= _entries(block, end, below)[0]
    except struct.error:
        return {}
    taken = _moment(found.pop("taken", None) or found.pop("written", None))
    found.pop("written", None)
    return {**found, **({"taken": taken} if taken is not None else {})}


def _entries(block: bytes, end: str, at: int) -> tuple[dict[str, Any], int | None]:
    """Texts of one directory, and where the EXIF directory below it begins."""
    found: dict[str, Any] = {}
    below = None
    for i in range(min(struct.unpack_from(f"{end}H", block, at)[0], _MAX_ENTRIES)):
        place = at + 2 + 12 * i
        if place + 12 > len(block):
            break
        tag, kind, count, value = struct.unpack_from(f"{end}HHII", block, place)
        if tag == _EXIF_IFD:
            below = value
        name = "taken" if tag == _ORIGINAL else _TEXTS.get(tag)
        if name is not None and kind == _ASCII:
            start = place + 8 if count <= 4 else value
            text = _text(block[start : start + min(count, 4 * _MAX_CHARACTERS)])
            if text:
                found[name] = text
    return found, below


def _text(raw: bytes) -> str:
    """Printable characters up to the first zero byte."""
    text = raw.partition(b"\0")[0].decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_MAX_CHARACTERS]


def _moment(text: str | None) -> datetime | None:
    """The time of `2026:01:31 23:59:59`; None for an empty or impossible one."""
    try:
        return None if text is None else datetime.strptime(text[:19], "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
