"""Ridge regression with exact held-out answers: each sample answered by the fit to all but its own unit.

For a linear smoother with hat matrix H the answer to a unit S without S is y_S - (I - H_SS)^-1 (y_S - H_S y), so one
factorization serves every sample (leave-one-out: Allen 1974; blocks: Cook and Weisberg 1982). A unit is a sample, or
all that must not answer for one another: a patient's images, near duplicates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from sightline.errors import DataError
from sightline.features.chances import Blend, blend
from sightline.features.design import BLOCK, Design
from sightline.parallel import in_order, one_thread
from sightline.randomness import Draws

Array = np.ndarray[Any, Any]

LARGE = 1024
"""Units beyond this are answered by a fit of their own: m³ of the block formula would cost more."""

PROBE = 4096
"""Rows whose held-out answers choose the regularization; all answers are exact, this many say which is best."""

STEP = 3.0
FIRST = 0.09
"""Regularization as a multiple of the number of samples, with columns of variance 1; the search begins here."""

MANY = 1 << 28
"""Answers from which half precision has to do."""

_COLUMNS = 1024


@dataclass(frozen=True, eq=False)
class Ridge:
    """Class indicators regressed on standardized features, with an intercept that is not penalized."""

    design: Design
    regularization: float
    """Lambda over the number of samples."""

    @cached_property
    def _inverse(self) -> Array:
        """float32 (d, d): the inverse of the lower Cholesky factor of the penalized Gram matrix."""
        return _inverse_factor(self.design.gram, self.regularization * len(self.design))

    def held_out(self, labels: Array, num_classes: int, units: Array, which: Array | None = None) -> Array:
        """float32 (k, num_classes): the answer to each row of `which` (all), fitted without the rows of its unit.

        float16 where they would take more than a gigabyte: 1.28 M samples of 1000 classes. `labels` int64 (n,) and
        `units` int64 (n,) are of all rows of the design. `which` holds whole units.
        """
        chosen = np.arange(len(labels)) if which is None else np.asarray(which)
        coefficients = self._coefficients(labels, num_classes)
        shares = np.bincount(labels, minlength=num_classes) / len(labels)
        order = chosen[np.argsort(units[chosen], kind="stable")]
        work = _portions(units[order])
        size = len(labels) if which is None else int(chosen.max()) + 1
        out = np.empty((size, num_classes), np.float32 if size * num_classes <= MANY else np.float16)

        def answer(number: int) -> None:
            begin, end = work[number]
            rows = order[begin:end]
            truth = np.eye(num_classes, dtype=np.float32)[labels[rows]]
            if end - begin > LARGE and units[rows[0]] == units[rows[-1]]:
                out[rows] = self._refitted(rows, labels, num_classes)
                return
            block = self.design.block(rows)
            residual = truth - (block @ coefficients + shares.astype(np.float32))
            out[rows] = truth - _released(residual, self._rotated(block), units[rows], len(self.design))

        if len(work):
            _ = self._inverse  # made once, before the threads want it
            list(in_order(answer, range(len(work))))
        return out if which is None else np.asarray(out[chosen])

    def _coefficients(self, labels: Array, num_classes: int) -> Array:
        products = _products(self.design, labels, num_classes)
        with one_thread():
            return np.asarray(self._inverse.T @ (self._inverse @ products))

    def _rotated(self, block: Array) -> Array:
        """`block` times the inverse factor: the inner products of its rows are the entries of H."""
        out = np.empty_like(block)
        for begin in range(0, block.shape[1], _COLUMNS):  # the factor is triangular: half of the work is zeros
            end = min(begin + _COLUMNS, block.shape[1])
            np.matmul(block[:, :end], self._inverse[begin:end, :end].T, out=out[:, begin:end])
        return out

    def _refitted(self, rows: Array, labels: Array, num_classes: int) -> Array:
        """Answers to one large unit from a fit to all other rows."""
        rest = np.setdiff1d(np.arange(len(labels)), rows)
        if not len(rest):
            raise DataError("All samples are one unit, so nothing is left to fit: check the groups.")
        n, sums = len(rest), -sum(self.design.block(rows[i : i + BLOCK]).sum(0) for i in range(0, len(rows), BLOCK))
        mean = sums / n  # the columns sum to 0 over all rows
        shares = np.bincount(labels[rest], minlength=num_classes) / n
        gram = self.design.gram - self.design.gram_of(rows) - n * np.outer(mean, mean)
        products = _products(self.design, labels, num_classes, rest) - n * np.outer(mean, shares)
        inverse = _inverse_factor(gram, self.regularization * len(self.design))
        coefficients = inverse.T @ (inverse @ products.astype(np.float32))
        out = [(self.design.block(rows[i : i + BLOCK]) - mean) @ coefficients for i in range(0, len(rows), BLOCK)]
        return np.asarray(np.concatenate(out) + shares, np.float32)


def chosen_ridge(design: Design, labels: Array, num_classes: int, units: Array) -> tuple[Ridge, Blend]:
    """The ridge whose held-out answers make the given labels most likely, and what turns answers into probabilities.

    `labels` and `units` are int64 (n,), of the rows of the design. Neither the truth nor the number of wrong labels is
    asked for: the likelihood is that of the labels as given. At most PROBE rows, in whole units, vote; the search steps
    by a factor of 3 as long as the likelihood grows.
    """
    voters = whole_units(units, PROBE)
    tried: dict[int, tuple[float, Ridge, Blend]] = {}

    def loss(step: int) -> float:
        if step not in tried:
            ridge = Ridge(design, FIRST * STEP**step)
            answers = ridge.held_out(labels, num_classes, units, voters)
            found = blend([answers], labels[voters])
            best = min((t[0] for t in tried.values()), default=np.inf)
            tried[step] = (found.loss, ridge, found)
            for other in tried:  # one inverse factor of d x d is enough to keep
                if tried[other][0] > min(best, found.loss):
                    tried[other][1].__dict__.pop("_inverse", None)
        return tried[step][0]

    at = 0
    direction = -1 if loss(-1) < loss(0) else 1
    while abs(at) < 8 and loss(at + direction) < loss(at):
        at += direction
    return tried[at][1], tried[at][2]


def whole_units(units: Array, at_most: int) -> Array:
    """int64: rows of whole units, in the order of a hash of the unit's number, until `at_most` are reached; sorted."""
    if len(units) <= at_most:
        return np.arange(len(units))
    _, of = np.unique(units, return_inverse=True)
    order = np.argsort(Draws(0, 0, np.arange(int(of.max()) + 1, dtype=np.uint64)).bits(0), kind="stable")
    sizes = np.bincount(of)[order]
    count = max(1, int(np.searchsorted(np.cumsum(sizes), at_most, side="right")))
    is_in = np.zeros(len(sizes), bool)
    is_in[order[:count]] = True
    return np.flatnonzero(is_in[of])


def _portions(sorted_units: Array) -> list[tuple[int, int]]:
    """Begin and end of portions of whole units, of at most BLOCK rows unless one unit is larger."""
    n = len(sorted_units)
    edges = [0, *(np.flatnonzero(np.diff(sorted_units)) + 1).tolist(), n]
    portions, begin = [], 0
    for previous, edge in pairwise(edges):
        if edge - begin > BLOCK and previous > begin:
            portions.append((begin, previous))
            begin = previous
    if begin < n:
        portions.append((begin, n))
    return portions


def _released(residual: Array, rotated: Array, units: Array, n: int) -> Array:
    """(I - H_SS)^-1 applied to the residuals of each unit S; rows of a unit follow one another."""
    out = np.empty_like(residual)
    begins = np.flatnonzero(np.r_[True, np.diff(units) != 0])
    sizes = np.diff(np.r_[begins, len(units)])
    single = begins[sizes == 1]
    leverage = np.einsum("ij,ij->i", rotated[single], rotated[single]) + 1 / n
    out[single] = residual[single] / np.maximum(1 - leverage, 1e-6)[:, None]
    for begin, size in zip(begins[sizes > 1].tolist(), sizes[sizes > 1].tolist(), strict=True):
        at = slice(begin, begin + size)
        block = rotated[at].astype(np.float64)
        rest = np.eye(size) - block @ block.T - 1 / n
        out[at] = np.linalg.solve(rest, residual[at].astype(np.float64))
    return out


def _products(design: Design, labels: Array, num_classes: int, which: Array | None = None) -> Array:
    """float32 (d, num_classes): sums of the rows of each class."""
    rows = np.arange(len(labels)) if which is None else which
    out = np.zeros((design.width, num_classes))
    with one_thread():
        for begin in range(0, len(rows), BLOCK):
            at = rows[begin : begin + BLOCK]
            out += design.block(at).T @ np.eye(num_classes, dtype=np.float32)[labels[at]]
    return out.astype(np.float32)


def _inverse_factor(gram: Array, penalty: float) -> Array:
    """float32 (d, d), lower triangular: the inverse of the Cholesky factor of gram + penalty."""
    from scipy.linalg.lapack import dpotrf, dtrtri

    # In double precision: eigenvalues span 10⁵ between the largest and the penalty, which single precision
    # would lose the smallest of.
    whole = gram.astype(np.float64, order="F")
    whole[np.diag_indices(len(whole))] += penalty
    with one_thread():
        factor, failed = dpotrf(whole, lower=1, clean=1, overwrite_a=1)
        inverse, singular = (factor, failed) if failed else dtrtri(factor, lower=1, overwrite_c=1)
    if failed or singular:
        raise DataError("The features cannot be inverted: a value is not finite, or far larger than all others. "
                        "Check the embeddings.")  # fmt: skip
    return np.ascontiguousarray(inverse, np.float32)
