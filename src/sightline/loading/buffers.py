"""Batch memory that is used again.

A fresh 38 MB array costs a page fault for each of its 4 kB: 0.5 ms of CPU per 224 px image on a virtual machine, more
than normalizing it. So arrays are kept, and one is given out again when the last tensor that looks at its memory is
gone. Nobody has to promise when a batch is finished with.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]


class Buffers:
    """Arrays from `empty(shape)` for batches of at most `capacity` rows of one shape; the latest `keep` are kept."""

    def __init__(self, capacity: int, keep: int, empty: Callable[[tuple[int, ...]], Array]) -> None:
        self._capacity, self._empty = capacity, empty
        self._kept: deque[tuple[Array, weakref.ref[Array]]] = deque(maxlen=keep)
        """Each array with the view of it that was given out."""
        self._row: tuple[int, ...] = ()
        self._lock = threading.Lock()

    def take(self, num_rows: int, row: tuple[int, ...]) -> Array:
        """An uninitialized array of `num_rows` × `row`; its memory is used again when nothing refers to it any more."""
        with self._lock:
            if row != self._row:
                self._row = row
                self._kept.clear()
            whole = self._unused()
            if whole is None:
                whole = self._empty((self._capacity, *row))
            view = whole[:num_rows]
            self._kept.append((whole, weakref.ref(view)))
        return view

    def _unused(self) -> Array | None:
        # Looked for when one is wanted, not noted by a callback when its view goes: Ctrl-C in a callback is lost.
        for i, (whole, view) in enumerate(self._kept):
            if view() is None:
                del self._kept[i]
                return whole
        return None
