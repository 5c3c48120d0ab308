"""Which sample of a class looks most like another: cosine similarity along the main axes of the features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.features.design import BLOCK, Design
from sightline.parallel import one_thread
from sightline.randomness import normals

Array = np.ndarray[Any, Any]

AXES = 128
_ROUNDS = 4


@dataclass(frozen=True, eq=False)
class Projection:
    """Rows of a design along its main axes, with length 1."""

    values: Array
    """float32 (n, axes)."""

    @classmethod
    def of(cls, design: Design, axes: int = AXES) -> Projection:
        """The rows along the `axes` directions of largest variance, each scaled to variance 1 before.

        Subspace iteration on the Gram matrix; it finds the largest axes well and the last ones roughly, which is all
        that a similarity needs.
        """
        width = min(axes, design.width, len(design) - 1)
        basis = normals(0, design.width * width).reshape(design.width, width)
        with one_thread():
            for _ in range(_ROUNDS):
                basis = np.linalg.qr(design.gram @ basis)[0]
            variances, turn = np.linalg.eigh(basis.T @ (design.gram @ basis))
            scaled = basis @ turn / np.sqrt(np.maximum(variances, 1e-6 * max(float(variances[-1]), 1e-12)))
            values = np.empty((len(design), width), np.float32)
            for at, block in design.blocks():
                values[at] = block @ scaled.astype(np.float32)
        values /= np.linalg.norm(values, axis=1, keepdims=True) + 1e-12
        return cls(values)


def nearest_of_class(projection: Projection, asked: Array, classes: Array, labels: Array, units: Array) -> Array:
    """int64 (k,): for each row `asked`, the most similar row that has the class `classes[i]` and is of another unit.

    `asked` and `classes` are int64 (k,), `labels` and `units` int64 (n,) of all rows. -1 where there is none. Copies of
    the sample itself show nothing: they are of its unit.
    """
    out = np.full(len(asked), -1, np.int64)
    with one_thread():
        for c in np.unique(classes).tolist():
            members = np.flatnonzero(labels == c)
            askers = np.flatnonzero(classes == c)
            if not len(members):
                continue
            for begin in range(0, len(askers), BLOCK):
                part = askers[begin : begin + BLOCK]
                found = projection.values[asked[part]] @ projection.values[members].T
                found[units[asked[part]][:, None] == units[members][None, :]] = -np.inf
                best = found.argmax(1)
                is_there = np.isfinite(found[np.arange(len(part)), best])
                out[part] = np.where(is_there, members[best], -1)
    return out
