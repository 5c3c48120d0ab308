"""What the images of a table look like beside one another: columns of the inspection and of the image references."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa

from sightline.audits.evidence import Array, Evidence

FEW = 20
"""Below this many images there is no usual size."""


@dataclass(frozen=True, eq=False)
class Appearance:
    """Columns in table order, each computed once."""

    evidence: Evidence
    _known: dict[str, Array] = field(default_factory=dict)

    def column(self, name: str) -> Array:
        """A column of the inspection."""
        if name not in self._known:
            self._known[name] = self.evidence.inspection.column(name)
        return self._known[name]

    def text(self, name: str) -> Array:
        """A field of the image reference, as an object array of str; None for null."""
        if f"image.{name}" not in self._known:
            values = self._image.field(name).cast(pa.string()).to_pylist()
            self._known[f"image.{name}"] = np.array(values, object)
        return self._known[f"image.{name}"]

    def number(self, name: str) -> Array:
        """A field of the image reference, as float64; NaN for null."""
        return np.array(self._image.field(name).cast(pa.float64()).to_numpy(zero_copy_only=False))

    @cached_property
    def _image(self) -> pa.StructArray:
        return self.evidence.samples.table["image"].combine_chunks()

    @cached_property
    def is_seen(self) -> Array:
        """Whether there is a picture."""
        return self.evidence.inspection.is_seen

    @cached_property
    def size(self) -> tuple[Array, Array]:
        """Height and width of what is looked at: of the crop where the sample is one."""
        height, width = self.number("height"), self.number("width")
        crops = self.evidence.samples.table["crop"]
        if crops.null_count < len(crops):
            for i, crop in enumerate(crops.to_pylist()):
                if crop is not None:
                    height[i], width[i] = crop[3] - crop[1], crop[2] - crop[0]
        return height, width

    @cached_property
    def size_ratio(self) -> Array:
        """Square root of the number of pixels, over its median; 1 throughout for a table of few images."""
        side = np.sqrt(self.size[0] * self.size[1])
        known = side[self.is_seen & np.isfinite(side)]
        return np.asarray(side / np.median(known) if len(known) >= FEW else np.ones(len(side)))

    @cached_property
    def aspect(self) -> Array:
        """Longer over shorter side."""
        height, width = self.size
        return np.asarray(np.maximum(height, width) / np.maximum(np.minimum(height, width), 1))

    @cached_property
    def bar_share(self) -> Array:
        """Share of the upright picture's height or width that the narrower of two opposite bars takes.

        Of the two pairs the larger one. 0 for bars of fewer than 4 pixels, and for pictures of fewer than 64 a side,
        where a margin is nothing else (MNIST's digits have one).
        """
        height, width = (np.where(side < 64, np.inf, side) for side in self.size)
        is_turned = self.number("exif_orientation") >= 5
        height, width = np.where(is_turned, width, height), np.where(is_turned, height, width)
        top, bottom, left, right = (self.column(f"bars_{side}") for side in ("top", "bottom", "left", "right"))
        rows, columns = np.fmin(top, bottom), np.fmin(left, right)
        return np.asarray(np.fmax(np.where(rows < 4, 0, rows / height), np.where(columns < 4, 0, columns / width)))

    @cached_property
    def entropy_share(self) -> Array:
        """Entropy over what the table's images usually have, or over the most that an image of that size can have.

        Whichever is less: an image of 8 × 8 pixels has at most 6 bits, and a table of drawings few in all of them.
        """
        entropy, pixels = self.column("entropy"), self.size[0] * self.size[1]
        known = entropy[np.isfinite(entropy)]
        usual = np.median(known) if len(known) >= FEW else 8.0
        most = np.fmin(np.log2(np.fmax(pixels, 2)), usual)
        # Where most are blank, no other is short of what is usual.
        return np.asarray(np.divide(entropy, most, out=np.ones_like(entropy), where=most > 0))
