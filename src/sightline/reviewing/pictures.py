"""Pictures for the page, as bytes: upright, on white, in 8 bits, no larger than asked for."""

from __future__ import annotations

import io

from PIL import Image

from sightline.images import ImageReader
from sightline.images.upright import upright

SIDES = (256, 1280)
"""Longest sides that the page asks for: in a gallery, and large."""

LOSSLESS = 256
"""Images up to this side are sent without loss: a decision may hang on single pixels."""


def picture(reader: ImageReader, row: int, side: int) -> tuple[bytes, str]:
    """A picture of the sample in a row, its longer side at most `side`, and its media type.

    Raises DecodeError with the reason where there is no image.
    """
    image = upright(reader.pixels(row))
    is_lossless = max(image.size) <= LOSSLESS
    if max(image.size) > side:
        image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    stream = io.BytesIO()
    if is_lossless:
        image.save(stream, "PNG")
    else:
        image.save(stream, "JPEG", quality=92, subsampling=0)
    return stream.getvalue(), "image/png" if is_lossless else "image/jpeg"
