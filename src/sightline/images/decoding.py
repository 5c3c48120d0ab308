"""Encoded bytes to native pixels, and what a header says without decoding.

Native means: nothing is rotated, scaled or flattened here. What to do about orientation, alpha, colour and depth is
the preprocessing contract's choice, so the same file gives the same pixels in every stage.
"""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import IO, Any

import numpy as np
import simplejpeg
from PIL import Image, ImageFile, UnidentifiedImageError

from sightline.errors import DataError, DecodeError
from sightline.images.codecs import BEGINNING, PILLOW_FORMATS, SAYING_LATE, codec_of, depth_of


def _limit(wanted: str) -> int:
    if not wanted.isdecimal() or int(wanted) < 1:
        raise DataError(f"The environment variable SIGHTLINE_MAX_PIXELS is {wanted!r}; wanted a number of pixels.")
    return int(wanted)


MAX_PIXELS = _limit(os.environ.get("SIGHTLINE_MAX_PIXELS", "178956970"))
"""Images with more pixels are refused: a few kilobytes can claim to be terabytes. Pillow's own error limit, unless the
environment variable SIGHTLINE_MAX_PIXELS says otherwise."""
_ADVICE = "set SIGHTLINE_MAX_PIXELS to accept larger images"
if Image.MAX_IMAGE_PIXELS is not None and MAX_PIXELS > 2 * Image.MAX_IMAGE_PIXELS:
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow refuses twice its own limit by itself

_ORIENTATION_TAG = 0x0112
_AS_STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}  # fmt: skip
"""What takes back the turning of a TIFF by its orientation, which Pillow does as it loads it, alone of all codecs."""
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_SILENT_CHUNKS = frozenset([b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT",
                            b"bKGD", b"hIST", b"pHYs", b"tIME", b"sPLT"])  # fmt: skip
"""Chunks of a PNG that are neither EXIF nor text."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the first bytes of an image say."""

    codec: str
    """Sniffed from magic bytes, never from the file's name: jpeg | png | gif | bmp | tiff | webp | jp2 | ppm |
    avif | raw."""
    width: int
    """Pixels, as stored (before any rotation)."""
    height: int
    mode: str
    """Pillow's mode of the stored image: L, RGB, P, CMYK, I;16, RGBA, …"""
    bits: int
    """Stored depth of one channel."""
    exif_orientation: int | None
    """1 … 8, or None where the file says nothing (or something illegal)."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """Decoded, native pixels."""

    values: np.ndarray[Any, Any]
    """height × width × channels (1 grey, 2 grey + alpha, 3 RGB, 4 RGBA); uint8, or uint16 where `bits` is 16."""
    bits: int
    """8 or 16: the depth the values are to be scaled by."""
    orientation: int = 1
    """EXIF orientation 1 … 8 that has NOT been applied."""
    complaint: str | None = None
    """What the decoder of a JPEG complained of and went on; None: of nothing."""


def sniff(source: bytes | IO[bytes]) -> Header:
    """Header of an encoded image without decoding its pixels. Raises DecodeError with a short reason."""
    if isinstance(source, bytes):
        quick = jpeg_header(source)
        if quick is not None:
            return quick
        source = io.BytesIO(source)
    stream = source
    head = stream.read(26)
    codec = codec_of(head)
    if codec in SAYING_LATE:
        head += stream.read(BEGINNING)
    is_silent = codec == "png" and _is_silent_png(stream)
    stream.seek(0)
    with _opened(stream, codec) as image:
        orientation = None if is_silent else _orientation(image)
        width, height = image.size
        if codec == "tiff" and orientation is not None and orientation >= 5:  # Pillow tells the size that it will have
            width, height = height, width
        mode = "I;16" if _is_deep_grey(image) else image.mode
        return Header(codec, width, height, mode, _bits(image, codec, head), orientation)


def _is_silent_png(stream: IO[bytes]) -> bool:
    """Whether no chunk of a PNG can hold an orientation. They may stand behind the pixels, and Pillow, asked for one,
    decodes all of those first: 15 ms for a megapixel."""
    stream.seek(len(_PNG_MAGIC))
    while len(head := stream.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        if kind not in _SILENT_CHUNKS:
            return False
        if kind == b"IEND":
            break
        stream.seek(size + 4, os.SEEK_CUR)
    return True


def jpeg_header(data: bytes) -> Header | None:
    """Header of a plain JPEG from its first bytes; None for what `sniff` must judge, and for too few bytes."""
    # 450,000 headers/s where Pillow reads 29,000/s: worth it for Parquet files of a million small images.
    if not data.startswith(b"\xff\xd8\xff") or b"Exif\0\0" in data[:4096]:
        return None
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data)
    except (ValueError, KeyError):
        return None
    return header_of_jpeg(width, height, {"YCbCr": 3, "Gray": 1}.get(colorspace, 0))


@lru_cache(1 << 16)
def header_of_jpeg(width: int, height: int, channels: int) -> Header | None:
    """Header of a plain JPEG; None for other channels than 1 and 3, and for more pixels than are taken."""
    # Of a million photographs many have the same size: one value for them all takes less memory and time.
    if channels not in {1, 3} or height * width > MAX_PIXELS:
        return None
    return Header("jpeg", width, height, "L" if channels == 1 else "RGB", 8, None)


def decode(data: bytes) -> Pixels:
    """Native pixels of an encoded image; of an animation the first frame.

    Palette images become RGB(A), CMYK and YCbCr become RGB, 1-bit becomes 8-bit grey, 16-bit grey stays 16-bit.
    Raises DecodeError for anything that cannot be decoded completely: a truncated file is not half an image.
    """
    codec = codec_of(data[:16])
    if codec != "jpeg":
        return _decode_with_pillow(data, codec)
    pixels = _decode_jpeg(data)
    if isinstance(pixels, Pixels):
        return pixels
    return replace(_decode_with_pillow(data, codec), complaint=pixels)


def _decode_jpeg(data: bytes) -> Pixels | str | None:
    """Pixels, or what was complained of; None for what is not decoded here."""
    # simplejpeg and Pillow carry the same engine (libjpeg-turbo) and give the same pixels; simplejpeg saves the
    # 150 µs that Pillow spends on copying. What it refuses (CMYK, any irregularity) Pillow judges.
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data)
        if height * width > MAX_PIXELS or colorspace not in {"YCbCr", "Gray"}:
            return None
        values = simplejpeg.decode_jpeg(data, colorspace="GRAY" if colorspace == "Gray" else "RGB", strict=True)
    except KeyError:  # a header cut before its colour space
        return None
    except ValueError as e:
        return str(e)
    orientation = 1
    if b"Exif\0\0" in data[:4096]:
        with _opened(io.BytesIO(data), "jpeg") as image:
            orientation = _orientation(image) or 1
    return Pixels(values, 8, orientation)


def _decode_with_pillow(data: bytes, codec: str) -> Pixels:
    with _opened(io.BytesIO(data), codec) as image:
        return _pixels_of(image, codec, _bits(image, codec, data[:BEGINNING]))


def pixels_of_pillow(image: Image.Image) -> Pixels:
    """Native pixels of an image that Pillow has opened; modes become channels as in `decode`.

    Its orientation is what its EXIF still says. 16-bit colour has been cut to 8 bits when Pillow opened it: give
    `decode` the file's bytes where that matters. Raises DecodeError for anything that cannot be decoded completely.
    """
    codec = (image.format or "image").lower()
    return _pixels_of(image, codec, _bits(image, codec, b""))


def _pixels_of(image: Image.Image, codec: str, bits: int) -> Pixels:
    if bits > 16:
        raise DecodeError(f"{bits}-bit pixels (mode {image.mode}) are not supported")
    if bits > 8 and not _is_deep_grey(image):
        raise DecodeError(f"{bits}-bit {image.mode} {codec} is not supported: it would be cut to 8 bits unseen")
    is_tiff = image.format == "TIFF"
    orientation = _orientation(image) or 1 if is_tiff else 1
    try:
        image.load()
        if not is_tiff:  # not before: to ask a PNG decodes it, and if that fails half of it passes for the whole
            orientation = _orientation(image) or 1
        elif orientation in _AS_STORED:
            image = image.transpose(_AS_STORED[orientation])
        if bits == 16:
            grey = np.asarray(image).astype(np.uint16)
            return Pixels(grey[:, :, None], 16, orientation)
        flat = image.convert(_target_mode(image))
    except (OSError, SyntaxError, ValueError, struct.error, EOFError, IndexError) as e:
        raise DecodeError(f"damaged {codec}: {e}") from None
    values = np.asarray(flat)
    return Pixels(values[:, :, None] if values.ndim == 2 else values, 8, orientation)


def _target_mode(image: Image.Image) -> str:
    has_alpha = image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info
    if image.mode in {"1", "L", "LA", "La"}:
        return "LA" if has_alpha else "L"
    return "RGBA" if has_alpha else "RGB"


def _opened(stream: IO[bytes], codec: str) -> Image.Image:
    try:
        image: ImageFile.ImageFile = Image.open(stream, formats=[PILLOW_FORMATS[codec]])
    except Image.DecompressionBombError:
        raise DecodeError(f"more than {MAX_PIXELS:,} pixels; {_ADVICE}") from None
    except UnidentifiedImageError:
        raise DecodeError(f"damaged {codec}: the header cannot be read") from None
    except (OSError, SyntaxError, ValueError, struct.error, EOFError, IndexError) as e:
        raise DecodeError(f"damaged {codec}: {_cut_webp(stream) if codec == 'webp' else ''}{e}") from None
    if image.width * image.height > MAX_PIXELS:
        raise DecodeError(f"{image.width} × {image.height} is more than {MAX_PIXELS:,} pixels; {_ADVICE}")
    return image


def _cut_webp(stream: IO[bytes]) -> str:
    """Says so where a WebP has fewer bytes than its first ones tell of; its decoder names no reason."""
    stream.seek(4)
    told = struct.unpack("<I", stream.read(4))[0] + 8
    there = stream.seek(0, os.SEEK_END)
    return f"truncated, {there:,} of {told:,} bytes: " if there < told else ""


def _bits(image: Image.Image, codec: str, head: bytes) -> int:
    if _is_deep_grey(image):
        return 16
    if image.format == "TIFF":
        stored = image.tag_v2.get(258, (8,))  # type: ignore[attr-defined]
        return max(max(stored), 8) if isinstance(stored, tuple) else max(int(stored), 8)
    return 32 if image.mode in {"I", "F"} else depth_of(codec, head)


def _is_deep_grey(image: Image.Image) -> bool:
    """Whether Pillow gives the levels of 16 bits; those of a PGM with fewer are drawn out to 16, in its mode of 32."""
    return image.mode.startswith("I;16") or (image.format == "PPM" and image.mode == "I")


def _orientation(image: Image.Image) -> int | None:
    try:
        value = image.getexif().get(_ORIENTATION_TAG)
    except (OSError, SyntaxError, ValueError, struct.error):
        return None  # unreadable EXIF says nothing about the pixels
    return int(value) if isinstance(value, int) and 1 <= value <= 8 else None
