"""Samples that are no encoded image by themselves, as PNG of the same pixels."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from sightline.conversion.encoding import NotEncodable
from sightline.images import Pixels

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_ORIENTATION = 0x0112


def png_of(pixels: Pixels) -> bytes:
    """A PNG that decodes to exactly these pixels, orientation included. Raises NotEncodable for 16-bit colour."""
    values = np.ascontiguousarray(pixels.values)
    if pixels.bits == 16:
        if values.shape[2] != 1:
            raise NotEncodable(f"an image of {values.shape[2]} channels of 16 bits")
        image = Image.fromarray(values[:, :, 0])
    else:
        mode = _MODES[values.shape[2]]
        image = Image.frombytes(mode, (values.shape[1], values.shape[0]), values.tobytes())
    exif = Image.Exif()
    if pixels.orientation != 1:
        exif[_ORIENTATION] = pixels.orientation
    stream = io.BytesIO()
    image.save(stream, "PNG", exif=exif.tobytes() if pixels.orientation != 1 else b"")
    return stream.getvalue()
