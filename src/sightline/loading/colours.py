"""ColorJitter on a batch: changes gathered into one sum per pixel, carried out where a level could be clipped.

Brightness, contrast and saturation give each level a · level + b · grey + c, with the grey of its pixel. A factor of at
most 1 leaves nothing outside 0 … 255, so its clip changes nothing and the next change joins the same sum.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from sightline.augmentation import LUMA
from sightline.augmentation.colour import STEPS, hue_turned

Array = npt.NDArray[Any]
F32 = np.float32

PLANE_PIXELS = 1 << 17
"""Pixels of one plane worked on at a time: fewer cost more in calls, more in cache misses (64 … 224 px)."""
CONTRAST, SATURATION, HUE = (STEPS.index(name) for name in ("contrast", "saturation", "hue"))


def jittered(levels: Array, factors: Array, order: Array, has_hue: bool) -> Array:
    """The batch with other colours: `factors` and `order` are those that ColorJitter draws (n × 4)."""
    if not has_hue:
        order = order[order != HUE].reshape(len(order), -1)
    ordered = np.take_along_axis(factors, order, axis=1)
    if levels.shape[3] == 1:
        ordered = np.where(order == SATURATION, 1.0, ordered)
    # Images clipped after the same steps lie together: those after the first, after both, after the second, after none.
    rank = np.array([3, 2, 0, 1])[2 * (ordered[:, 0] > 1) + (ordered[:, 1] > 1)]
    size = max(PLANE_PIXELS // (levels.shape[1] * levels.shape[2]), 1)
    out = np.empty_like(levels)
    for start in range(0, len(levels), size):
        rows = start + np.argsort(rank[start : start + size], kind="stable")
        out[rows] = _jittered(levels[rows], order[rows], ordered[rows])
    return out


def _jittered(levels: Array, order: Array, factors: Array) -> Array:
    changes = _Changes(levels)
    last = order.shape[1] - 1
    for k in range(last + 1):
        is_hue = order[:, k] == HUE
        changes.add(order[:, k], np.where(is_hue, 1.0, factors[:, k]))
        for i in np.flatnonzero(is_hue) if levels.shape[3] == 3 else ():
            changes.turn_hue(slice(i, i + 1), float(factors[i, k]))
        for rows in _runs(factors[:, k] > 1) if k < last else ():
            changes.carry_out(rows)
            changes.look(rows)
    changes.carry_out(slice(None))
    return changes.levels(levels)


class _Changes:
    """Planes of some images (vector instructions need neighbours), and the change of each that is still to be made."""

    def __init__(self, levels: Array) -> None:
        n, height, width, channels = levels.shape
        memory = _memory((channels + 2, n, height * width))
        self._planes, self._grey, self._spare = memory[:channels], memory[-2], memory[-1]
        np.copyto(self._planes, levels.reshape(n, height * width, channels).transpose(2, 0, 1), casting="unsafe")
        self._mean = np.empty(n)
        self._own, self._shared, self._constant = np.ones(n), np.zeros(n), np.zeros(n)
        self.look(slice(None))

    def look(self, rows: slice) -> None:
        """Take the grey of the images as they are now."""
        planes, grey, spare = self._planes[:, rows], self._grey[rows], self._spare[rows]
        np.multiply(planes[0], F32(LUMA[0] if len(planes) > 1 else 1), out=grey)
        for plane, weight in zip(planes[1:], LUMA[1:], strict=False):
            np.multiply(plane, F32(weight), out=spare)
            grey += spare
        self._mean[rows] = grey.sum(axis=1) / grey.shape[1]

    def add(self, steps: Array, factors: Array) -> None:
        """Let one step of each image join its change."""
        rest, total = 1 - factors, self._own + self._shared
        mean = total * self._mean + self._constant
        self._constant = np.where(steps == SATURATION, self._constant, factors * self._constant)
        self._constant += (steps == CONTRAST) * rest * mean
        self._shared = factors * self._shared + (steps == SATURATION) * rest * total
        self._own = factors * self._own

    def carry_out(self, rows: slice) -> None:
        """Change the levels, and clip them."""
        planes, grey = self._planes[:, rows], self._grey[rows]
        own, shared, constant = (v[rows, None].astype(F32) for v in (self._own, self._shared, self._constant))
        planes *= own
        grey *= shared
        grey += constant
        planes += grey
        np.clip(planes, 0, 255, out=planes)
        self._own[rows], self._shared[rows], self._constant[rows] = 1, 0, 0

    def turn_hue(self, rows: slice, turn: float) -> None:
        """Change the levels, then their hue."""
        self.carry_out(rows)
        self._planes[:, rows] = hue_turned(self._planes[:, rows], turn)
        self.look(rows)

    def levels(self, like: Array) -> Array:
        """The images as they are now, in the shape and type of `like`."""
        out = np.empty(like.shape, like.dtype)
        if out.dtype == np.uint8:
            np.rint(self._planes, out=self._planes)
        for c, plane in enumerate(self._planes):
            # Two steps: numpy turns float into interleaved uint8 more slowly than into uint8 and that into interleaved.
            out[..., c] = plane.astype(out.dtype).reshape(like.shape[:3])
        return out


_scratch = threading.local()


def _memory(shape: tuple[int, ...]) -> Array:
    """float32 of a shape, used again by this thread: fresh memory of this size costs a page fault for each 4 kB."""
    count = math.prod(shape)
    if getattr(_scratch, "values", np.empty(0)).size < count:
        _scratch.values = np.empty(count, F32)
    whole: Array = _scratch.values
    return whole[:count].reshape(shape)


def _runs(mask: Array) -> Iterator[slice]:
    """The stretches of a mask that are true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return (slice(int(a), int(b)) for a, b in edges.reshape(-1, 2))
