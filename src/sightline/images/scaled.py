"""JPEGs decoded at a half, a quarter or an eighth of their size, for looks that need no more than an overview."""

from __future__ import annotations

from collections.abc import Callable

import simplejpeg

from sightline.images.decoding import Pixels, jpeg_header
from sightline.images.reading import ImageReader


def scaled_pixels(reader: ImageReader, side: int) -> Callable[[int, bytes], Pixels]:
    """What makes pixels of the payload of sample `i`: as stored, or smaller with a longer side of `side` or more."""

    def pixels(i: int, payload: bytes) -> Pixels:
        header = jpeg_header(payload) if reader.is_whole(i) else None
        if header is None or max(header.width, header.height) < 2 * side:
            return reader.pixels(i, payload)
        scale = side / max(header.width, header.height)
        try:
            values = simplejpeg.decode_jpeg(
                payload, colorspace="GRAY" if header.mode == "L" else "RGB", strict=False,
                min_height=max(int(header.height * scale), 1), min_width=max(int(header.width * scale), 1),
            )  # fmt: skip
        except (ValueError, KeyError):
            return reader.pixels(i, payload)
        return Pixels(values, 8)

    return pixels
