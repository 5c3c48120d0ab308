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
        """Share of the upright picture that the larger pair of opposite bars takes; 0 where one of the two is none."""
        height, width = self.size
        is_turned = self.number("exif_orientation") >= 5
        height, width = np.where(is_turned, width, height), np.where(is_turned, height, width)
        top, bottom, left, right = (self.column(f"bars_{side}") for side in ("top", "bottom", "left", "right"))
        rows = np.where((top > 0) & (bottom > 0), top + bottom, 0) / height
        columns = np.where((left > 0) & (right > 0), left + right, 0) / width
        return np.asarray(np.fmax(rows, columns))
