"""Images that a caller holds in memory, in the place of those that a table refers to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from sightline.errors import ContractError, DataError, DecodeError
from sightline.images import Pixels, decode, pixels_of_pillow
from sightline.loading.stages import Stages
from sightline.preprocessing import Preprocessing
from sightline.randomness import U64, hashes_of
from sightline.samples import sample_id_of

Array = npt.NDArray[Any]


class GivenPixels:
    """Upright images in the contract's colour mode, by their place in the list."""

    def __init__(self, pixels: Sequence[Pixels], contract: Preprocessing) -> None:
        self.num_samples = len(pixels)
        self.stages: Stages | None = None
        self._pixels = pixels
        self._levels = [contract.levels(p, f"row {i} of the batch") for i, p in enumerate(pixels)]

    def levels(self, row: int) -> Array:
        """height × width × channels of an image."""
        return self._levels[row]

    def part(self, row: int, box: Array) -> Array:
        """The part of an image inside `box` (top, left, height, width)."""
        top, left, height, width = (int(n) for n in box)
        return self._levels[row][top : top + height, left : left + width]

    def sizes(self, rows: Array) -> Array:
        """Height and width (n × 2) of the images of `rows`."""
        return np.array([self._levels[int(row)].shape[:2] for row in rows])

    def hashes(self) -> U64:
        """A number for each image that its native pixels alone decide."""
        digests = [hashlib.sha256(p.values.tobytes()).digest()[:16] for p in self._pixels]
        return hashes_of(digests)


def hash_of_key(key: Any) -> int:
    """The number by which random draws know a sample: of its id (16 bytes), or of the key that it was made from.

    Raises ContractError for anything else.
    """
    if isinstance(key, bytes) and len(key) == 16:
        return int(hashes_of([key])[0])
    if isinstance(key, str | int):
        return int(hashes_of([sample_id_of("", str(key))])[0])
    raise ContractError(f"A key is a sample id of 16 bytes, a text or a whole number, got {key!r:.60}.")


def pixels_of(image: Any, name: str) -> Pixels:
    """Native pixels of an opened Pillow image, of encoded bytes, or of {"bytes", "path"} as Hugging Face stores it.

    Raises DataError naming `name` for other things and for images that cannot be read.
    """
    try:
        if isinstance(image, Image.Image):
            return pixels_of_pillow(image)
        if isinstance(image, Mapping):
            image = image["bytes"] if image.get("bytes") is not None else Path(image["path"]).read_bytes()
        if isinstance(image, bytes):
            return decode(image)
    except DecodeError as e:
        raise DataError(f"The image in {name} cannot be read: {e}. Leave the row out before: dataset.select(…).") from e
    except (OSError, KeyError, TypeError) as e:
        raise DataError(f"The image in {name} cannot be read: it has no bytes, and its path gives none ({e}).") from e
    raise DataError(f"The image in {name} is a {type(image).__name__}; wanted a Pillow image, encoded bytes, or "
                    '{"bytes", "path"} as datasets.Image(decode=False) gives.')  # fmt: skip
