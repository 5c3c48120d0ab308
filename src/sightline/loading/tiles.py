"""A few rows of a batch at a time: levels, augmentation, normalization, while they lie in the processor's cache."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sightline.augmentation import Augmentation, PadCrop, RandomResizedCrop
from sightline.errors import DecodeError
from sightline.loading.pixels import FramedPixels, NativePixels, Unreadable, level_type
from sightline.loading.resizing import resized
from sightline.loading.transforms import applied, windows
from sightline.preprocessing import Preprocessing, reference
from sightline.randomness import Draws

Array = npt.NDArray[Any]

VIEW_ROWS = 16
"""Images in one task where each is decoded or resized: a few milliseconds of work."""
TILE_BYTES = 1 << 20
"""float32 bytes normalized at a time; a core's second-level cache holds them."""
GATHER_BYTES = 16 << 20
"""float32 bytes in one task where images are only gathered: large enough for numpy's calls not to count."""


class Tiles:
    """Fills parts of a batch's memory with the normalized images of given rows, at one input size."""

    def __init__(
        self, native: NativePixels, contract: Preprocessing, augmentation: Augmentation, cache_bytes: int, *,
        is_exact: bool,
    ) -> None:  # fmt: skip
        self.contract, self._is_exact = contract, is_exact
        self._native, self._augmentation, self._view = native, augmentation, augmentation.view
        first = augmentation.transforms[0] if augmentation.transforms else None
        self._border = first if isinstance(first, PadCrop) else None
        if self._view is None:
            padding, pad = (self._border.padding, self._border.padded) if self._border else (0, None)
            self._framed = FramedPixels(native, contract, cache_bytes, is_exact=is_exact, padding=padding, pad=pad)
        row_bytes = 4 * contract.size[0] * contract.size[1] * contract.num_channels
        self.num_rows = VIEW_ROWS if self._view else max(GATHER_BYTES // row_bytes, 1)
        """Rows in one task."""
        self._norm_rows = max(TILE_BYTES // row_bytes, 1)
        pixels = contract.size[0] * contract.size[1]
        # mean and std repeated for each pixel: one long vector operation instead of one for each pixel's channels.
        self._mean = np.tile(np.asarray(contract.mean, np.float32), pixels)
        self._std = np.tile(np.asarray(contract.std, np.float32), pixels)

    def fill(self, rows: Array, draws: Draws, out: Array) -> Unreadable:
        """Write the images of `rows` to `out` (n × height × width × channels); returns the places that mean nothing."""
        levels, first, unreadable = (
            self._viewed(self._view, rows, draws) if self._view else self._gathered(rows, draws)
        )
        sizes = np.tile(np.asarray(self.contract.size), (len(rows), 1))
        for place in range(first, len(self._augmentation.transforms)):
            parameters = self._augmentation.draw(draws, place, sizes)
            levels = applied(self._augmentation.transforms[place], levels, parameters, self._is_exact)
        self._normalize(levels, out)
        return unreadable

    def _gathered(self, rows: Array, draws: Draws) -> tuple[Array, int, Unreadable]:
        store, where, unreadable = self._framed.rows(rows)
        if self._border is None:
            return store.take(where, axis=0), 0, unreadable
        offsets = self._augmentation.draw(draws, 0, np.tile(np.asarray(self.contract.size), (len(rows), 1)))
        return windows(store, where, offsets, self.contract.size), 1, unreadable

    def _viewed(self, view: RandomResizedCrop, rows: Array, draws: Draws) -> tuple[Array, int, Unreadable]:
        c = self.contract
        images: list[Array | None] = []
        unreadable: Unreadable = []
        for i, row in enumerate(rows):
            try:
                images.append(self._native.levels(int(row)))
            except DecodeError as e:
                images.append(None)
                unreadable.append((i, str(e)))
        sizes = np.array([(1, 1) if x is None else x.shape[:2] for x in images])
        boxes = self._augmentation.draw(draws, 0, sizes)
        levels = np.zeros((len(rows), *c.size, c.num_channels), level_type(c))
        for i, image in enumerate(images):
            if image is not None:
                part = view.apply(image, boxes[i])
                levels[i] = (
                    reference.resized(np.ascontiguousarray(part), *c.size, c.interpolation, c.antialias)
                    if self._is_exact else resized(part, *c.size, c)
                )  # fmt: skip
        return levels, 1, unreadable

    def _normalize(self, levels: Array, out: Array) -> None:
        """(levels / 255 - mean) / std in the reference's order of operations, hence with its very bits."""
        n = len(levels)
        source, target = levels.reshape(n, -1), out.reshape(n, -1)
        for start in range(0, n, self._norm_rows):
            rows = slice(start, start + self._norm_rows)
            part = target[rows]
            np.divide(source[rows], np.float32(255), out=part, dtype=np.float32, casting="unsafe")
            np.subtract(part, self._mean, out=part)
            np.divide(part, self._std, out=part)
