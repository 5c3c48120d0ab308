"""Native pixels as people see them: turned as EXIF says, on white, in 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageOps

from sightline.images.decoding import Pixels

Array = np.ndarray[Any, Any]


def oriented(values: Array, orientation: int) -> Array:
    """An upright view of height × width × channels, by EXIF orientation 1 … 8."""
    if orientation >= 5:
        values = values.transpose(1, 0, 2)
    if orientation in {2, 3, 6, 7}:
        values = values[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        values = values[::-1]
    return values


def upright(pixels: Pixels) -> Image.Image:
    """Pillow image (L or RGB, 8 bits) of native pixels: rotated as EXIF says, alpha laid on white, 16 bits cut to 8."""
    values = pixels.values
    if pixels.bits == 16:
        values = (values >> 8).astype(np.uint8)
    if values.shape[2] in (2, 4):
        alpha = values[:, :, -1:].astype(np.float32) / 255
        values = (values[:, :, :-1] * alpha + 255 * (1 - alpha) + 0.5).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(values[:, :, 0] if values.shape[2] == 1 else values))
    if pixels.orientation == 1:
        return image
    tagged: Any = image.getexif()
    tagged[0x0112] = pixels.orientation
    return ImageOps.exif_transpose(image)
