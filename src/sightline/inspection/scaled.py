"""JPEGs decoded at a half, a quarter or an eighth of their size, for looks that need no more than an overview."""

from __future__ import annotations

from collections.abc import Callable

import simplejpeg

from sightline.images import ImageReader, Pixels
from sightline.images.decoding import jpeg_header
from sightline.inspection.measures import WORKING_SIDE


def scaled_pixels(reader: ImageReader) -> Callable[[int, bytes], Pixels]:
    """What gives pixels of sample `i` whose longer side is at least `WORKING_SIDE`, or all of them."""

    def pixels(i: int, payload: bytes) -> Pixels:
        header = jpeg_header(payload) if reader.is_whole(i) else None
        if header is None or max(header.width, header.height) < 2 * WORKING_SIDE:
            return reader.pixels(i, payload)
        scale = WORKING_SIDE / max(header.width, header.height)
        try:
            values = simplejpeg.decode_jpeg(
                payload, colorspace="GRAY" if header.mode == "L" else "RGB", strict=False,
                min_height=max(int(header.height * scale), 1), min_width=max(int(header.width * scale), 1),
            )  # fmt: skip
        except (ValueError, KeyError):
            return reader.pixels(i, payload)
        return Pixels(values, 8)

    return pixels
