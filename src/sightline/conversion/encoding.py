"""Images encoded again as smaller JPEGs: lossy, asked for, and measured."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from sightline.errors import DataError
from sightline.images import Pixels, decode
from sightline.images.upright import oriented

Array = npt.NDArray[Any]

QUALITY = 95
"""Quality where only a size is asked for."""
FULL_CHROMA_QUALITY = 92
"""From this quality on, colour is kept at full resolution: who asks for so much would lose more by halving it."""
MAX_JPEG_SIDE = 65_535
SEGMENT_BYTES = 65_519
"""Bytes of an ICC profile in one APP2 segment."""


class NotEncodable(Exception):  # noqa: N818 - a verdict on an image, caught by whoever stores it as it is
    """An image that a JPEG cannot hold; the message is the reason in a few words."""


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How images are encoded again: as JPEG of a quality, no side longer than `max_side` pixels."""

    quality: int | None = None
    """1 … 100; None: 95, and only for images that are too large."""
    max_side: int | None = None
    """None: sizes stay."""

    def __post_init__(self) -> None:
        if self.quality is None and self.max_side is None:
            raise DataError("An encoding has a quality, a largest side, or both; got neither.")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise DataError(f"The quality of a JPEG is a number from 1 to 100, got {self.quality}.")
        if self.max_side is not None and self.max_side < 1:
            raise DataError(f"The longest side must have at least 1 pixel, got {self.max_side}.")

    def __str__(self) -> str:
        size = "" if self.max_side is None else f", longest side at most {self.max_side}"
        which = "larger images " if self.quality is None else ""
        return f"{which}encoded again: JPEG quality {self.quality or QUALITY}, {self.subsampling}{size}"

    @property
    def subsampling(self) -> str:
        """Resolution of colour: 4:4:4 (full) or 4:2:0 (half in each direction)."""
        return "4:4:4" if (self.quality or QUALITY) >= FULL_CHROMA_QUALITY else "4:2:0"

    def applies_to(self, height: int, width: int) -> bool:
        """Whether an image of this size is to be encoded again."""
        return self.quality is not None or (self.max_side is not None and max(height, width) > self.max_side)

    def size_of(self, height: int, width: int) -> tuple[int, int]:
        """Height and width after encoding: the longest side at most `max_side`, the shape kept to the nearest pixel."""
        longest = max(height, width)
        if self.max_side is None or longest <= self.max_side:
            return height, width
        return max(round(height * self.max_side / longest), 1), max(round(width * self.max_side / longest), 1)


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """An image encoded again."""

    payload: bytes
    pixels: Pixels
    """What the payload decodes to, upright."""
    psnr_db: float
    """Against the source at the new size, over all values: 10 log10(255² / mean squared difference); inf if equal."""


def encoded(payload: bytes, pixels: Pixels, encoding: Encoding) -> Encoded:
    """The image as a JPEG, turned upright, with its ICC profile. Raises NotEncodable for what a JPEG cannot hold.

    `pixels` are what `payload` decodes to. Resizing is Pillow's Lanczos. Of an animation the first frame is kept.
    """
    if pixels.bits != 8:
        raise NotEncodable(f"{pixels.bits} bits")
    levels = np.ascontiguousarray(oriented(pixels.values, pixels.orientation))
    if levels.shape[2] in {2, 4}:
        if (levels[:, :, -1] != 255).any():
            raise NotEncodable("transparency")
        levels = np.ascontiguousarray(levels[:, :, :-1])
    levels = _resized(levels, *encoding.size_of(*levels.shape[:2]))
    if max(levels.shape) > MAX_JPEG_SIDE:
        raise NotEncodable("too large for JPEG")
    space = "GRAY" if levels.shape[2] == 1 else "RGB"
    data = simplejpeg.encode_jpeg(
        levels, encoding.quality or QUALITY, space, "gray" if space == "GRAY" else encoding.subsampling.replace(":", "")
    )
    made = decode(data)
    return Encoded(payload=_with_profile(data, _profile(payload)), pixels=made, psnr_db=_psnr_db(levels, made.values))


def _resized(levels: Array, height: int, width: int) -> Array:
    if levels.shape[:2] == (height, width):
        return levels
    flat = levels[:, :, 0] if levels.shape[2] == 1 else levels
    small = np.asarray(Image.fromarray(flat).resize((width, height), Image.Resampling.LANCZOS))
    return small[:, :, None] if small.ndim == 2 else small


def _psnr_db(wanted: Array, got: Array) -> float:
    difference = wanted.astype(np.int32) - got
    squares = float(np.mean(difference * difference))
    return float("inf") if squares == 0 else float(10 * np.log10(255**2 / squares))


def _profile(payload: bytes) -> bytes:
    """ICC profile of an encoded image; b"" without one. Of a CMYK image none: its pixels are RGB now."""
    with Image.open(io.BytesIO(payload)) as image:
        profile = image.info.get("icc_profile")
        if not isinstance(profile, bytes) or image.mode == "CMYK" or len(profile) > 255 * SEGMENT_BYTES:
            return b""
        return profile


def _with_profile(jpeg: bytes, profile: bytes) -> bytes:
    """A JPEG that begins with a JFIF segment, with an ICC profile behind that, in as many segments as it takes."""
    if not profile:
        return jpeg
    parts = [profile[i : i + SEGMENT_BYTES] for i in range(0, len(profile), SEGMENT_BYTES)]
    segments = [
        b"\xff\xe2" + (len(part) + 16).to_bytes(2, "big") + b"ICC_PROFILE\0" + bytes([number, len(parts)]) + part
        for number, part in enumerate(parts, 1)
    ]
    end = 4 + int.from_bytes(jpeg[4:6], "big") if jpeg[2:4] == b"\xff\xe0" else 2
    return jpeg[:end] + b"".join(segments) + jpeg[end:]
