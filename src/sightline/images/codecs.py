"""Which codec bytes are of, and how deep its channels are: what Pillow's mode does not tell."""

from __future__ import annotations

import re

from sightline.errors import DecodeError

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"GIF87a", "gif"), (0, b"GIF89a", "gif"),
    (0, b"BM", "bmp"),
    (0, b"II*\0", "tiff"), (0, b"MM\0*", "tiff"), (0, b"II+\0", "tiff"), (0, b"MM\0+", "tiff"),
    (0, b"\0\0\0\x0cjP  ", "jp2"), (0, b"\xff\x4f\xff\x51", "jp2"),
    *((0, b"P%d%c" % (n, c), "ppm") for n in (4, 5, 6) for c in b"\n\r\t "),
    *((0, b"P%d%c" % (n, c), "ppm") for n in (1, 2, 3) for c in b"\n\r"),  # of letters: a blank would be a sentence's
    (8, b"WEBP", "webp"),
    (4, b"ftypavif", "avif"), (4, b"ftypavis", "avif"),
)  # fmt: skip
"""Where the bytes stand, and whose they are."""

_FOREIGN: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftyphei", "HEIC"), (4, b"ftyphev", "HEIC"), (4, b"ftypmif1", "HEIF"), (4, b"ftypmsf1", "HEIF"),
    (4, b"ftypcrx", "a camera's raw image (CR3)"), (0, b"FUJIFILMCCD-RAW", "a camera's raw image (RAF)"),
    (4, b"ftyp", "a video"), (0, b"\x1aE\xdf\xa3", "a video"), (8, b"AVI ", "a video"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"), (0, b"\xff\x0a", "JPEG XL"),
    (0, b"8BPS", "a Photoshop document"), (0, b"%PDF-", "PDF"), (0, b"v/1\x01", "OpenEXR"),
)  # fmt: skip
"""What people keep among images, and no decoder here reads."""

PILLOW_FORMATS = {"jpeg": "JPEG", "png": "PNG", "gif": "GIF", "bmp": "BMP", "tiff": "TIFF", "webp": "WEBP",
                  "jp2": "JPEG2000", "ppm": "PPM", "avif": "AVIF"}  # fmt: skip

SAYING_LATE = frozenset(["jp2", "ppm", "avif"])
"""Codecs that say their depth behind comments and profiles, not in the first 26 bytes."""

BEGINNING = 1 << 16
"""Bytes in which `depth_of` looks."""

_PPM = re.compile(rb"P[2356](?:(?:\s|#[^\n]*\n)+\d{1,9}){2}(?:\s|#[^\n]*\n)+(\d{1,9})")


def codec_of(head: bytes) -> str:
    """Codec named by the first 16 bytes. Raises DecodeError when they belong to no image format that is read."""
    if not head:
        raise DecodeError("empty file (0 bytes)")
    for at, magic, codec in _MAGIC:
        if head.startswith(magic, at) and (codec != "webp" or head.startswith(b"RIFF")):
            return codec
    for at, magic, name in _FOREIGN:
        if head.startswith(magic, at):
            raise DecodeError(f"{name} is not supported; save what it shows as JPEG or PNG")
    raise DecodeError(f"not an image{_but(head[:16])}: begins with {head[:12]!r}")


def _but(head: bytes) -> str:
    """What begins like this, where people would know: the page of a server that had no image, a list, …"""
    try:
        text = head.decode()
    except UnicodeDecodeError:
        return ""
    if text.lstrip("\ufeff \t\r\n").lower().startswith(("<!doctype", "<html", "<head", "<?xml", "<body", "<script")):
        return " but a page of HTML or XML"
    return " but text" if all(c.isprintable() or c.isspace() for c in text) else ""


def depth_of(codec: str, head: bytes) -> int:
    """Bits of the deepest channel, by the beginning of a file; 8 where it does not say, or is no deeper.

    Of codecs whose colour Pillow cuts to 8 bits as it opens them, and tells nobody.
    """
    depths = [8]
    if codec == "png" and len(head) > 24:
        depths.append(head[24])
    elif codec == "ppm" and (header := _PPM.match(head)):
        depths.append(int(header[1]).bit_length())
    elif codec == "jp2":
        at = head.find(b"\xff\x4f\xff\x51") + 4  # of the codestream, ISO 15444-1, A.5
        count = int.from_bytes(head[at + 36 : at + 38], "big") if at > 3 else 0
        depths += [(b & 0x7F) + 1 for b in head[at + 38 : at + 38 + 3 * count : 3]]
    elif codec == "avif":
        boxes = head.partition(b"mdat")[0]  # pixels may hold any letters
        flags = [boxes[m.end() + 2] for m in re.finditer(b"av1C(?=...)", boxes, re.DOTALL)]  # AV1 in ISOBMFF, 2.3.3
        depths += [12 if f & 0x20 else 10 for f in flags if f & 0x40]
    return max(depths)
