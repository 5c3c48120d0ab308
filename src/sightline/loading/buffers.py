"""Batch memory that is used again.

A fresh 38 MB array costs a page fault for each of its 4 kB: 0.5 ms of CPU per 224 px image on a virtual machine, more
than normalizing it. So arrays are kept, and an array returns when the last tensor that looks at its memory is gone.
Nobody has to promise when a batch is finished with.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]


class Buffers:
    """Arrays from `empty(shape)` for batches of at most `capacity` rows of one shape; `keep` of them lie ready."""

    def __init__(self, capacity: int, keep: int, empty: Callable[[tuple[int, ...]], Array]) -> None:
        self._capacity, self._keep, self._empty = capacity, keep, empty
        self._free: list[Array] = []
        self._row: tuple[int, ...] = ()
        # Reentrant: making an array may collect garbage, and with it a batch that comes back here.
        self._lock = threading.RLock()

    def take(self, num_rows: int, row: tuple[int, ...]) -> Array:
        """An uninitialized array of `num_rows` × `row`; its memory returns here when nothing refers to it any more."""
        with self._lock:
            if row != self._row:
                self._row, self._free = row, []
            whole = self._free.pop() if self._free else self._empty((self._capacity, *row))
        view = whole[:num_rows]
        weakref.finalize(view, self._give_back, whole).atexit = False
        return view

    def _give_back(self, whole: Array) -> None:
        with self._lock:
            if whole.shape[1:] == self._row and len(self._free) < self._keep:
                self._free.append(whole)
