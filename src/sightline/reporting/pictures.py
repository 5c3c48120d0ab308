"""Thumbnails inside the page: small data URIs of samples, upright, on white, in 8 bits."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass

from PIL import Image

from sightline.errors import DecodeError
from sightline.images.upright import upright
from sightline.reporting.wording import class_names
from sightline.samples import SampleTable

SIDE = 128
"""Longest side of a thumbnail in pixels; at quality 78 a photograph takes about 4 kB."""

TINY = 64
"""Images up to this side are stored losslessly and enlarged pixel by pixel: blur would hide what the model sees."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A sample as the page shows it."""

    src: str
    """data URI; empty where the image cannot be read or may not be shown."""
    width: int
    """Of the thumbnail, in pixels."""
    height: int
    is_tiny: bool
    alt: str
    key: str
    """The source's own name of the sample."""
    note: str = ""
    """Why there is no image."""


class Gallery:
    """Makes the pictures of one sample table."""

    def __init__(self, samples: SampleTable) -> None:
        self._reader = samples.reader()
        self._keys = samples.column("key")
        self._labels = samples.column("label")
        self._names = class_names(samples.classes)

    def title(self, label: int) -> str:
        """What to call a class."""
        return self._names[label]

    def class_name(self, i: int) -> str:
        """Class of the sample in row `i`, for people."""
        label = self._labels[i]
        return "unlabelled" if label is None else self._names[label]

    def picture(self, i: int) -> Picture:
        """Thumbnail of row `i`; one without an image, and with the reason, where the file cannot be read."""
        alt = f"Sample {self._keys[i]}, class {self.class_name(i)}"
        try:
            image = upright(self._reader.pixels(int(i)))
        except DecodeError as e:
            return Picture(src="", width=SIDE, height=SIDE, is_tiny=False, alt=alt, key=self._keys[i], note=str(e))
        is_tiny = max(image.size) <= TINY
        src = data_uri(image, is_tiny)
        width, height = thumbnail_size(image.size)
        return Picture(src=src, width=width, height=height, is_tiny=is_tiny, alt=alt, key=self._keys[i])

    def pictures(self, rows: Iterable[int]) -> list[Picture]:
        """Thumbnails of several rows."""
        return [self.picture(i) for i in rows]

    def withheld(self, i: int) -> Picture:
        """A picture without an image, for a sample of a test split that no score has opened."""
        return Picture(src="", width=SIDE, height=SIDE, is_tiny=False, alt="A sealed test sample", key=self._keys[i],
                       note="sealed: no score was made on the test split")  # fmt: skip


def thumbnail_size(size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of a thumbnail: the longer side at most `SIDE`, never enlarged, never 0."""
    scale = min(1.0, SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def data_uri(image: Image.Image, lossless: bool) -> str:
    """The thumbnail of an image as a data URI: PNG where lossless, else JPEG."""
    small = image if image.size == thumbnail_size(image.size) else image.resize(
        thumbnail_size(image.size), Image.Resampling.LANCZOS, reducing_gap=3.0)  # fmt: skip
    stream = io.BytesIO()
    if lossless:
        small.save(stream, "PNG", optimize=True)
    else:
        small.save(stream, "JPEG", quality=78, optimize=True, progressive=False)
    kind = "png" if lossless else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode()}"
