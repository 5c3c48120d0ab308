"""What the folds of a plan say together: one estimate over all their predictions, and how much the folds differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.errors import DataError
from sightline.metrics.estimates import Estimate, share
from sightline.metrics.measures import credit
from sightline.predictions import Predictions


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """Top-1 over the folds that have been scored."""

    top1: Estimate
    """Over the predictions of all folds, each sample with its weight; not the mean of the folds' figures."""
    each: Mapping[int, float]
    """Top-1 of each fold, by its number."""

    @property
    def deviation(self) -> float | None:
        """Standard deviation of the folds' figures (n - 1 in the denominator); None for one fold."""
        return float(np.std(list(self.each.values()), ddof=1)) if len(self.each) > 1 else None

    def __str__(self) -> str:
        if self.deviation is None:
            return f"top-1 {self.top1}"
        low, high = (100 * end(self.each.values()) for end in (min, max))
        return f"top-1 {self.top1} · folds {low:.1f} … {high:.1f} %, deviation {100 * self.deviation:.1f}"

    def to_json(self) -> dict[str, Any]:
        """The estimate, the folds by number, and their deviation."""
        return {"top1": self.top1.to_json(), "each": {str(i): v for i, v in self.each.items()},
                "deviation": self.deviation}  # fmt: skip


def pooled(folds: Mapping[int, Predictions], groups: Mapping[int, Sequence[Any]] | None = None) -> Pooled:
    """Top-1 over the predictions of folds, by number; `groups` names the group of each row of each fold.

    Samples that several folds hold, as repeats do, are no new observations: without groups each is its own. The
    interval takes the folds' models for one: their training sets overlap, so it is somewhat too narrow (Bengio and
    Grandvalet 2004). Raises DataError where no sample has a label, or classes differ.
    """
    right, units, each = [], [], {}
    for number, predictions in sorted(folds.items()):
        mask = predictions.is_labelled
        if not mask.any():
            raise DataError(f"None of the predictions of fold {number} has a label, so there is nothing to score.")
        if predictions.classes.digest != next(iter(folds.values())).classes.digest:
            raise DataError(f"Fold {number} predicts other classes than the rest. Pool the folds of one plan.")
        found = credit(predictions.take(mask))
        of = groups[number] if groups is not None else [i.hex() for i in predictions.ids]
        right.append(found)
        units += [of[i] for i in np.flatnonzero(mask).tolist()]
        each[number] = float(found.mean())
    if not each:
        raise DataError("There are no folds to pool. Score one: sightline evaluate STUDY")
    return Pooled(top1=share(np.concatenate(right), units), each=each)
