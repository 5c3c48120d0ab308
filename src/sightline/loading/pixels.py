"""Levels of samples by row: decoded once where the memory budget allows, else each time they are asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sightline.errors import ContractError, DecodeError
from sightline.images import Pixels, pixel_box
from sightline.loading.stages import Stages, timed
from sightline.preprocessing import Preprocessing
from sightline.samples import SampleTable

Array = npt.NDArray[Any]
Unreadable = list[tuple[int, str]]
"""Place in the request, and the reason."""


def level_type(contract: Preprocessing) -> np.dtype[Any]:
    """uint8, or float32 where the contract accepts images of more than 8 bits."""
    return np.dtype(np.uint8 if contract.bits == (8,) else np.float32)


class Images(Protocol):
    """Upright images in the contract's colour mode at their own sizes, by row."""

    num_samples: int
    stages: Stages | None

    def sizes(self, rows: Array) -> Array:
        """Height and width (n × 2) of the images of `rows`."""

    def levels(self, row: int) -> Array:
        """height × width × channels of an image. Raises DecodeError with a reason."""

    def part(self, row: int, box: Array) -> Array:
        """The part of an image inside `box` (top, left, height, width). Raises DecodeError with a reason."""


class NativePixels:
    """Upright images in the contract's colour mode at their own sizes; kept until `budget_bytes` are full."""

    def __init__(
        self, samples: SampleTable, contract: Preprocessing, budget_bytes: int, stages: Stages | None = None
    ) -> None:
        self.num_samples = len(samples)
        self.stages = stages
        self._reader, self._contract = samples.reader(), contract
        self._keys = samples.table["key"]
        self._is_ok, self._reasons = samples.is_ok, samples.table["reason"]
        self._stored, self._is_turned, self._is_upright = _sizes(samples, contract)
        self._kept: dict[int, Array] = {}
        self._left_bytes = budget_bytes
        self._lock = threading.Lock()

    def sizes(self, rows: Array) -> Array:
        """Height and width (n × 2) of the upright images of `rows`; 1 × 1 where they cannot be read."""
        for row in rows[self._stored[rows, 0] == 0]:  # a table that somebody else made, without sizes
            try:
                height, width = self._converted(int(row), self._reader.pixels(int(row))).shape[:2]
            except DecodeError:
                height, width = 1, 1
            self._stored[row] = (width, height) if self._is_turned[row] else (height, width)
        return np.where(self._is_turned[rows, None], self._stored[rows, ::-1], self._stored[rows])

    def levels(self, row: int) -> Array:
        """height × width × channels of a sample. Raises DecodeError with a reason, ContractError naming the sample."""
        kept = self._kept.get(row)
        if kept is not None:
            return kept
        self._require_ok(row)
        levels = self._converted(row, self._whole(row))
        with self._lock:
            if levels.nbytes <= self._left_bytes and row not in self._kept:
                self._left_bytes -= levels.nbytes
                self._kept[row] = levels
        return levels

    def part(self, row: int, box: Array) -> Array:
        """The part of a sample inside `box` (top, left, height, width); raises as `levels` does.

        An image that is not kept and stands upright in its file is decoded only where the box needs it.
        """
        top, left, height, width = (int(n) for n in box)
        stored = self._stored[row]
        is_to_keep = self._left_bytes >= int(stored[0]) * int(stored[1]) * self._contract.num_channels
        if row in self._kept or is_to_keep or not self._is_upright[row]:
            return self.levels(row)[top : top + height, left : left + width]
        self._require_ok(row)
        with timed(self.stages, "decode"):
            pixels, first = self._reader.band(row, top, top + height)
        self._require_size(row, pixels, first, top + height)
        start = top - first
        inside = pixels.values[start : start + height, left : left + width]
        return self._converted(row, Pixels(inside, pixels.bits))

    def _whole(self, row: int) -> Pixels:
        if self.stages is None:
            pixels = self._reader.pixels(row)
        else:
            with self.stages("read"):
                payload = self._reader.payload(row)
            with self.stages("decode"):
                pixels = self._reader.pixels(row, payload)
        if self._stored[row, 0]:
            self._require_size(row, pixels, 0, int(self._stored[row, 0]))
        return pixels

    def _require_ok(self, row: int) -> None:
        if not self._is_ok[row]:
            raise DecodeError(self._reasons[row].as_py() or "unreadable when it was indexed")

    def _require_size(self, row: int, pixels: Pixels, first: int, bottom: int) -> None:
        """Random boxes are drawn for the size in the table, so another image in the file's place must not pass."""
        height, width = (int(n) for n in self._stored[row])
        got_height, got_width = pixels.values.shape[:2]
        if got_width != width or not bottom <= first + got_height <= height:
            raise DecodeError(
                f"has {got_height} × {got_width} pixels, but had {height} × {width} when it was indexed: another image"
            )

    def _converted(self, row: int, pixels: Pixels) -> Array:
        try:
            return self._contract.levels(pixels)
        except ContractError as e:
            raise ContractError(f"{self._keys[row].as_py()}: {e}") from None


class FramedPixels:
    """Images as `frame` leaves them, all of one shape, each with a border of `padding` made by `pad`.

    Kept in one array where all of them fit into `budget_bytes`, so that a batch is one gather; the border is stored
    because a random crop is then a plain copy.
    """

    def __init__(
        self, native: Images, contract: Preprocessing, budget_bytes: int, frame: Callable[[Array], Array], *,
        padding: int = 0, pad: Callable[[Array], Array] | None = None,
    ) -> None:  # fmt: skip
        self._native, self._frame, self._pad = native, frame, pad
        height, width = contract.size
        self.row = (height + 2 * padding, width + 2 * padding, contract.num_channels)
        self.dtype = level_type(contract)
        fits = native.num_samples * int(np.prod(self.row)) * self.dtype.itemsize <= budget_bytes
        self._store = np.zeros((native.num_samples, *self.row), self.dtype) if fits else None
        self._is_filled = np.zeros(native.num_samples, bool)

    def rows(self, rows: Array) -> tuple[Array, Array, Unreadable]:
        """An array, where in it the images of `rows` lie, and which cannot be read: their pixels mean nothing."""
        unreadable: Unreadable = []
        if self._store is None:
            store, where = np.zeros((len(rows), *self.row), self.dtype), np.arange(len(rows))
            missing = where
        else:
            store, where = self._store, rows
            missing = np.flatnonzero(~self._is_filled[rows])
        for i in missing:
            try:
                self._fill(store, int(where[i]), int(rows[i]))
            except DecodeError as e:
                unreadable.append((int(i), str(e)))
            else:
                if self._store is not None:
                    self._is_filled[rows[i]] = True
        return store, where, unreadable

    def _fill(self, store: Array, place: int, row: int) -> None:
        levels = self._native.levels(row)
        with timed(self._native.stages, "transform"):
            image = self._frame(levels)
            store[place] = self._pad(image) if self._pad else image


def _sizes(samples: SampleTable, contract: Preprocessing) -> tuple[Array, Array, Array]:
    """For each sample: height and width as stored (0 where unknown); is it turned by a right angle; not at all?"""
    column = samples.table["image"]
    image = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()  # combining one piece copies it
    stored = np.empty((len(samples), 2), np.int32)
    for i, name in enumerate(("height", "width")):
        side = image.field(name)
        stored[:, i] = (side.fill_null(0) if side.null_count else side).to_numpy()
    crops = samples.table["crop"]
    for row in np.flatnonzero(crops.is_valid().to_numpy()) if crops.null_count < len(crops) else ():
        try:
            top, left, bottom, right = pixel_box(crops[int(row)].as_py(), *stored[row])
        except DecodeError:
            continue  # it shows nothing: reading it says so
        stored[row] = bottom - top, right - left
    turns = image.field("exif_orientation")
    if contract.orientation == "ignore" or turns.null_count == len(turns):
        return stored, np.zeros(len(samples), bool), np.ones(len(samples), bool)
    orientation = turns.fill_null(1).to_numpy(zero_copy_only=False)
    return stored, orientation >= 5, orientation == 1
