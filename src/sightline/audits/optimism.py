"""Optimism: what a random split would have promised against one that keeps together what belongs together.

The same ridge on the same features answers both, on train and val alone: once with five random folds, as a split that
knows nothing of patients and near copies would make them, and once with five folds of whole units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.audits.evidence import Evidence
from sightline.audits.findings import Finding
from sightline.audits.units import units_of
from sightline.features import Design, chosen_ridge
from sightline.randomness import Draws

Array = np.ndarray[Any, Any]

FOLDS = 5
REPEATS = 4
"""Divisions into folds of each kind; what one division does by luck averages out."""

MOST = 8192
"""Samples that take part at most, in whole units, and features: the answer's interval is then below a point."""

WIDEST = 2048

SMALLEST_GAP = 0.005
"""A smaller difference, although beyond chance, changes no decision."""


@dataclass(frozen=True, kw_only=True)
class Optimism:
    """Top-1 accuracy by random folds and by folds of whole units, and their difference."""

    naive: float
    honest: float
    low: float
    """Lower end of the 95 % interval of naive - honest; units are what varies."""
    high: float
    num_samples: int
    num_units: int

    @property
    def gap(self) -> float:
        """naive - honest."""
        return self.naive - self.honest


def optimism(evidence: Evidence) -> list[Finding]:
    """One finding where random folds score higher than folds of whole units, beyond chance and by half a point.

    A warning where train and val of the present splits share units, so that val itself is optimistic; else info. Empty
    without units of several samples, or with fewer than ten units.
    """
    rows = np.flatnonzero(_takes_part(evidence))
    if len(rows) < 4 * FOLDS:
        return []
    units = units_of(evidence)[rows]
    measured = measured_optimism(evidence.features, rows, np.array([evidence.labels[i] for i in rows.tolist()]), units)
    if measured is None or measured.low <= 0 or measured.gap < SMALLEST_GAP:
        return []
    is_val = np.array([s == "val" for s in evidence.assigned[rows]], bool)
    parted = len(np.intersect1d(units[is_val], units[~is_val])) if is_val.any() else 0
    here = (f"{parted:,} groups or clusters of copies lie in both train and val here: val is as optimistic" if parted
            else "Keep them together in every split and fold")  # fmt: skip
    return [
        Finding(
            level="warning" if parted else "info", subject="split", score=min(1.0, measured.gap),
            message=f"random folds score {100 * measured.naive:.1f} %, folds of whole groups and copies "
                    f"{100 * measured.honest:.1f} %: {100 * measured.gap:.1f} points of optimism "
                    f"({100 * measured.low:.1f} … {100 * measured.high:.1f}). {here}.",
            evidence={"naive": round(measured.naive, 4), "honest": round(measured.honest, 4),
                      "gap": round(measured.gap, 4), "interval": [round(measured.low, 4), round(measured.high, 4)],
                      "samples": measured.num_samples, "units": measured.num_units, "folds": FOLDS, "parted": parted},
        )
    ]  # fmt: skip


def measured_optimism(features: Array, rows: Array, labels: Array, units: Array) -> Optimism | None:
    """Both accuracies of `rows` of a feature matrix; `labels` and `units` are theirs. None where nothing is to tell.

    Ridge's regularization is the one that leave-one-out likes best, as in a search that knows nothing of units.
    """
    _, units = np.unique(units, return_inverse=True)
    if not 2 * FOLDS <= units.max() + 1 < len(units):
        return None
    chosen = _some(units)
    rows, labels = rows[chosen], labels[chosen].astype(np.int64)
    units = np.unique(units[chosen], return_inverse=True)[1]
    if len(np.unique(labels)) < 2 or units.max() + 1 < 2 * FOLDS:
        return None
    stride = -(-features.shape[1] // WIDEST)
    design = Design.of(features[:, ::stride], rows).compacted()
    size = int(labels.max()) + 1
    ridge, _ = chosen_ridge(design, labels, size, np.arange(len(rows)))
    right = np.zeros((2, len(rows)))
    for repeat in range(REPEATS):
        for kind, of in enumerate((np.arange(len(rows)), units)):
            folds = _folds(of, repeat)
            right[kind] += ridge.held_out(labels, size, folds).argmax(1) == labels
    return _compared(right[0] / REPEATS, right[1] / REPEATS, units)


def _compared(naive: Array, honest: Array, units: Array) -> Optimism:
    """Means, and the interval of their difference when units are drawn anew (sandwich variance, Student's t)."""
    from scipy.stats import t

    n, count = len(units), int(units.max()) + 1
    gap = float((naive - honest).mean())
    deviation = np.bincount(units, naive - honest, count) - gap * np.bincount(units, minlength=count)
    error = float(np.sqrt((deviation**2).sum() * count / (count - 1))) / n
    width = float(t.ppf(0.975, count - 1)) * error
    return Optimism(naive=float(naive.mean()), honest=float(honest.mean()), low=gap - width, high=gap + width,
                    num_samples=n, num_units=count)  # fmt: skip


def _folds(units: Array, repeat: int) -> Array:
    """The fold of each sample: whole units in the order of a hash, each to the fold that is the smallest so far."""
    sizes = np.bincount(units)
    order = np.argsort(Draws(repeat, 0, np.arange(len(sizes), dtype=np.uint64)).bits(0), kind="stable")
    fold, filled = np.empty(len(sizes), np.int64), [0] * FOLDS
    for unit in order.tolist():
        smallest = filled.index(min(filled))
        fold[unit] = smallest
        filled[smallest] += int(sizes[unit])
    return np.asarray(fold[units])


def _some(units: Array) -> Array:
    """Numbers of at most MOST samples, in whole units chosen by a hash."""
    sizes = np.bincount(units)
    order = np.argsort(Draws(0, 1, np.arange(len(sizes), dtype=np.uint64)).bits(0), kind="stable")
    is_in = np.zeros(len(sizes), bool)
    is_in[order[np.cumsum(sizes[order]) <= MOST]] = True
    return np.flatnonzero(is_in[units])


def _takes_part(evidence: Evidence) -> Array:
    """Labelled samples with features, of train and val where there are splits: test has no part in this."""
    is_fit = np.array([v is not None for v in evidence.labels], bool) & evidence.has_features
    if any(s is not None for s in evidence.assigned):
        is_fit &= np.array([s in ("train", "val") for s in evidence.assigned], bool)
    return is_fit
