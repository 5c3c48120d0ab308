"""Pages of TIFF stacks."""

from __future__ import annotations

import numpy as np
from PIL import Image

from sightline.errors import DecodeError, MissingExtraError
from sightline.images.containers import Reference
from sightline.images.decoding import MAX_PIXELS, Pixels, pixels_of_pillow
from sightline.images.parsing import parsing
from sightline.images.ranges import Ranges

_BITS, _SAMPLES = 258, 277
_PLACES = ((273, 279), (324, 325))
"""Tags with the offsets and lengths of strips, and of tiles."""


class Tiff:
    """Stored bytes of a page, and its pixels."""

    def __init__(self) -> None:
        self._ranges = Ranges()

    def payload(self, reference: Reference) -> bytes:
        """A page's strips or tiles one after the other, as they are stored. Raises DecodeError, OSError."""
        if reference.offset is not None and reference.length is not None:
            stop = reference.offset + reference.length
            return self._ranges.read(reference.path, reference.offset, stop)
        with parsing("tiff"), _page(reference) as page:
            tags = page.tag_v2  # type: ignore[attr-defined]
            starts, lengths = next(((tags[a], tags[b]) for a, b in _PLACES if a in tags and b in tags), ((), ()))
            if not starts:
                raise DecodeError("damaged tiff: a page without pixels")
            pieces = zip(starts, lengths, strict=True)
            return b"".join(self._ranges.read(reference.path, start, start + length) for start, length in pieces)

    def pixels(self, reference: Reference, payload: bytes) -> Pixels:
        """Pixels of a page. Raises DecodeError, MissingExtraError for 16-bit colour without the extra `tiff`."""
        with parsing("tiff"), _page(reference) as page:
            tags = page.tag_v2  # type: ignore[attr-defined]
            if max(tags.get(_BITS, (1,))) == 16 and tags.get(_SAMPLES, 1) == 3:
                return _deep_colour(reference)
            return pixels_of_pillow(page)


def _page(reference: Reference) -> Image.Image:
    image = Image.open(reference.path, formats=["TIFF"])
    image.seek(reference.frame or 0)
    if image.width * image.height > MAX_PIXELS:
        raise DecodeError(f"{image.width} × {image.height} is more than {MAX_PIXELS:,} pixels")
    return image


def _deep_colour(reference: Reference) -> Pixels:
    # Pillow cuts 16-bit colour to 8 bits.
    try:
        import tifffile
    except ModuleNotFoundError as e:
        raise MissingExtraError("tifffile", "tiff", "Reading 16-bit colour") from e
    with tifffile.TiffFile(reference.path, is_ome=False) as file:
        values = file.pages[reference.frame or 0].asarray()
    if values.ndim == 3 and values.shape[2] != 3:
        values = values.transpose(1, 2, 0)  # one plane after the other
    if values.dtype != np.uint16 or values.ndim != 3 or values.shape[2] != 3:
        raise DecodeError(f"a page of {values.shape} {values.dtype} is not supported")
    return Pixels(np.ascontiguousarray(values), 16)
