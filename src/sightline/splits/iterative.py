"""Stratification of samples that show several classes each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sightline.splits.allotment import UNSET, anchor, cells_of
from sightline.splits.labelling import Labelling
from sightline.splits.units import Units

Array = np.ndarray[Any, Any]


def by_labels(
    units: Units, shown: Labelling, totals: Sequence[int], seed: int, purpose: str, *, first_keeps_all: bool
) -> Array:  # fmt: skip
    """Part of each unit (int64) such that every part has nearly its share of every class and of the samples.

    Iterative stratification: Sechidis, Tsoumakas and Vlahavas, "On the stratification of multi-label data", ECML PKDD
    2011. The class with the fewest samples left is shared out first, each of its units to the part that wants the most
    of it; of equals the one that wants the most samples; ties and the order are decided by hashes. Larger units go
    first. With `first_keeps_all` the first part has a unit of each class.
    """
    cells = cells_of(units, shown.rows, shown.labels, shown.num_classes)
    part = np.full(len(units), UNSET, np.int64)
    wish = np.asarray(totals, np.float64)
    have = np.bincount(shown.labels, minlength=shown.num_classes)
    room = np.outer(wish / max(1.0, wish.sum()), have)
    room[wish == 0], wish[wish == 0] = -np.inf, -np.inf  # a part that is to stay empty wants nothing, ever
    draws = units.draws(seed, f"{purpose}: order")
    if first_keeps_all:
        anchor(part, room, cells, np.ones(shown.num_classes, bool), draws)
        wish[0] -= units.sizes[part == 0].sum()
    sharing = _Sharing(part, room.T.tolist(), wish.tolist(), units.draws(seed, f"{purpose}: choice").tolist())
    order = np.lexsort((draws, -units.sizes))
    place = np.empty(len(units), np.int64)
    place[order] = np.arange(len(units))
    by_label = np.lexsort((place[cells.unit], cells.label))
    ends = np.searchsorted(cells.label[by_label], np.arange(shown.num_classes + 1))
    label, counts, begins = cells.label.tolist(), cells.counts.tolist(), cells.begins.tolist()
    is_open = (part == UNSET)[cells.unit]
    left = np.bincount(cells.label[is_open], weights=cells.counts[is_open], minlength=shown.num_classes)
    sizes = units.sizes.tolist()
    while left.any():
        rarest = int(np.argmin(np.where(left > 0, left, np.inf)))
        for u in cells.unit[by_label[ends[rarest] : ends[rarest + 1]]].tolist():
            if part[u] != UNSET:
                continue
            at = range(begins[u], begins[u + 1])
            p = sharing.give(u, sizes[u], rarest)
            for i in at:
                sharing.room[label[i]][p] -= counts[i]
                left[label[i]] -= counts[i]
    for u in order[part[order] == UNSET].tolist():
        sharing.give(u, sizes[u], None)
    return part


class _Sharing:
    """What the parts still want while units are given to them."""

    def __init__(self, part: Array, room: list[list[float]], wish: list[float], draws: list[float]) -> None:
        self.part, self.room, self.wish, self.draws = part, room, wish, draws

    def give(self, unit: int, size: int, label: int | None) -> int:
        """The part that wants most of `label`, of equals most samples; the unit is now in it."""
        wanted = [(self.room[label][p] if label is not None else 0.0, w) for p, w in enumerate(self.wish)]
        best = max(wanted)
        equal = [p for p, w in enumerate(wanted) if w == best]
        p = equal[int(self.draws[unit] * len(equal))]
        self.part[unit] = p
        self.wish[p] -= size
        return p
