"""Levels of samples by row: decoded once where the memory budget allows, else each time they are asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from sightline.errors import ContractError, DecodeError
from sightline.loading.resizing import framed
from sightline.preprocessing import Preprocessing
from sightline.samples import SampleTable

Array = npt.NDArray[Any]
Unreadable = list[tuple[int, str]]
"""Place in the request, and the reason."""


def level_type(contract: Preprocessing) -> np.dtype[Any]:
    """uint8, or float32 where the contract accepts images of more than 8 bits."""
    return np.dtype(np.uint8 if contract.bits == (8,) else np.float32)


class NativePixels:
    """Upright images in the contract's colour mode at their own sizes; kept until `budget_bytes` are full."""

    def __init__(self, samples: SampleTable, contract: Preprocessing, budget_bytes: int) -> None:
        self.num_samples = len(samples)
        self._reader, self._contract = samples.reader(), contract
        self._keys = samples.table["key"]
        self._is_ok, self._reasons = samples.is_ok, samples.table["reason"]
        self._kept: dict[int, Array] = {}
        self._left_bytes = budget_bytes
        self._lock = threading.Lock()

    def levels(self, row: int) -> Array:
        """height × width × channels of a sample. Raises DecodeError with a reason, ContractError naming the sample."""
        kept = self._kept.get(row)
        if kept is not None:
            return kept
        if not self._is_ok[row]:
            raise DecodeError(self._reasons[row].as_py() or "unreadable when it was indexed")
        pixels = self._reader.pixels(row)
        try:
            levels = self._contract.levels(pixels)
        except ContractError as e:
            raise ContractError(f"{self._keys[row].as_py()}: {e}") from None
        with self._lock:
            if levels.nbytes <= self._left_bytes and row not in self._kept:
                self._left_bytes -= levels.nbytes
                self._kept[row] = levels
        return levels


class FramedPixels:
    """Images as the contract frames them, all of one shape, each with a border of `padding` made by `pad`.

    Kept in one array where all of them fit into `budget_bytes`, so that a batch is one gather; the border is stored
    because a random crop is then a plain copy.
    """

    def __init__(
        self, native: NativePixels, contract: Preprocessing, budget_bytes: int, *,
        is_exact: bool, padding: int = 0, pad: Callable[[Array], Array] | None = None,
    ) -> None:  # fmt: skip
        self._native, self._pad = native, pad
        self._framed = contract.framed if is_exact else lambda levels: framed(levels, contract)
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
        image = self._framed(self._native.levels(row))
        store[place] = self._pad(image) if self._pad else image
