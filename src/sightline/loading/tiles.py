"""A few rows of a batch at a time: levels, augmentation, normalization, while they lie in the processor's cache."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sightline.augmentation import Augmentation, PadCrop, RandomResizedCrop
from sightline.errors import DecodeError
from sightline.loading.framing import framing_of
from sightline.loading.pixels import FramedPixels, Images, Unreadable, level_type
from sightline.loading.resizing import resized
from sightline.loading.stages import timed
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
    """Fills parts of a batch's memory with the images of given rows, at one input size."""

    def __init__(
        self, native: Images, contract: Preprocessing, augmentation: Augmentation, cache_bytes: int, *,
        is_exact: bool, is_normalizing: bool = True,
    ) -> None:  # fmt: skip
        """`is_normalizing` says whether `fill` writes numbers (float32, or bfloat16 in uint16 memory) or levels."""
        self.contract, self._is_exact, self._is_normalizing = contract, is_exact, is_normalizing
        self._native, self._augmentation, self._view = native, augmentation, augmentation.view
        self._stages = native.stages
        self._num_framing = len(augmentation.framing)
        following = augmentation.transforms[self._num_framing :]
        self._border = following[0] if following and isinstance(following[0], PadCrop) else None
        if self._view is None:
            frame = framing_of(contract, augmentation, is_exact)
            padding, pad = (self._border.padding, self._border.padded) if self._border else (0, None)
            self._framed = FramedPixels(native, contract, cache_bytes, frame, padding=padding, pad=pad)
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
        transforms = self._augmentation.transforms
        is_late = [t.is_normalized for t in transforms]
        sizes = np.tile(np.asarray(self.contract.size), (len(rows), 1))
        with timed(self._stages, "transform"):
            for place in range(first, len(transforms) - sum(is_late)):
                parameters = self._augmentation.draw(draws, place, sizes)
                levels = applied(transforms[place], levels, parameters, self._is_exact)
        with timed(self._stages, "collate"):
            if not self._is_normalizing:
                out[:] = levels
                return unreadable
            numbers = out if out.dtype == np.float32 else np.empty(out.shape, np.float32)
            self._normalize(levels, numbers)
        with timed(self._stages, "transform"):
            for place in range(len(transforms) - sum(is_late), len(transforms)):
                parameters = self._augmentation.draw(draws, place, sizes)
                numbers = applied(transforms[place], numbers, parameters, self._is_exact)
        with timed(self._stages, "collate"):
            if out.dtype != np.float32:
                torch.from_numpy(out).view(torch.bfloat16).copy_(torch.from_numpy(numbers))
            elif numbers is not out:
                out[:] = numbers
        return unreadable

    def _gathered(self, rows: Array, draws: Draws) -> tuple[Array, int, Unreadable]:
        store, where, unreadable = self._framed.rows(rows)
        with timed(self._stages, "transform"):
            place = self._num_framing
            if self._border is None:
                return store.take(where, axis=0), place, unreadable
            offsets = self._augmentation.draw(draws, place, np.tile(np.asarray(self.contract.size), (len(rows), 1)))
            return windows(store, where, offsets, self.contract.size), place + 1, unreadable

    def _viewed(self, view: RandomResizedCrop, rows: Array, draws: Draws) -> tuple[Array, int, Unreadable]:
        c = self.contract
        unreadable: Unreadable = []
        boxes = self._augmentation.draw(draws, 0, self._native.sizes(rows))
        levels = np.zeros((len(rows), *c.size, c.num_channels), level_type(c))
        for i, row in enumerate(rows):
            try:
                part = self._native.part(int(row), boxes[i])
            except DecodeError as e:
                unreadable.append((i, str(e)))
                continue
            with timed(self._stages, "transform"):
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
