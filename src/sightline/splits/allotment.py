"""Rules that allot units to parts: by class and by hash. Pure functions of numbers; nothing is shuffled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.splits.units import Units

Array = np.ndarray[Any, Any]

UNSET = -1


@dataclass(frozen=True, eq=False)
class Cells:
    """Samples of a class in a unit, one cell for each such pair; the cells of a unit lie together."""

    unit: Array
    label: Array
    counts: Array
    begins: Array
    """First cell of each unit, and behind the last unit the number of cells."""


def cells_of(units: Units, rows: Array, labels: Array, num_classes: int) -> Cells:
    """The cells of units, where row `rows[i]` shows class `labels[i]`."""
    pairs, counts = np.unique(units.of[rows] * num_classes + labels, return_counts=True)
    unit, label = np.divmod(pairs, num_classes)
    return Cells(unit, label, counts, np.searchsorted(unit, np.arange(len(units) + 1)))


def totals_of(n: int, shares: Sequence[float]) -> list[int]:
    """Samples in each part: the first gets what the others, rounded up, leave."""
    # 1e-9: 0.1 × 30 is 3.0000000000000004 in floating point and means 3.
    rest = [int(np.ceil(share * n - 1e-9)) for share in shares[1:]]
    return [n - sum(rest), *rest]


def quotas(counts: Array, totals: Sequence[int], *, first_keeps_all: bool) -> Array:
    """Samples of each class in each part (parts × classes, int64), the class shares alike in all parts.

    No entry is a whole sample or more away from the exact share; what rounding adds in one class it takes from the
    next, so the parts' totals hold too. With `first_keeps_all` the first part has at least one of each class.
    """
    shares = np.asarray(totals, np.float64) / max(1, int(counts.sum()))
    out = np.zeros((len(totals), len(counts)), np.int64)
    owed = np.zeros(len(totals))
    for c, n in enumerate(counts.tolist()):
        exact = shares * n
        whole = np.floor(exact + 1e-9).astype(np.int64)
        extra = n - int(whole.sum())
        wish = exact - whole + owed
        if first_keeps_all and n and whole[0] == 0 and exact[0] > 0:
            wish[0] = np.inf
        wish[exact <= 0] = -np.inf
        whole[np.argsort(-wish, kind="stable")[:extra]] += 1
        owed += exact - whole
        out[:, c] = whole
    return out


def by_class(units: Units, labels: Array, quota: Array, seed: int, purpose: str, *, first_keeps_all: bool) -> Array:
    """Part of each unit (int64), so that every part comes as near to its quota of each class as whole units allow.

    Units of several samples go first, the largest before the smaller, each drawn by its hash among the parts that
    have room for it, in proportion to their room; where none has room, to the part that it overfills least. Single
    samples then fill what is left, exactly.
    """
    part = np.full(len(units), UNSET, np.int64)
    room = quota.astype(np.float64)
    draws = units.draws(seed, f"{purpose}: order")
    cells = cells_of(units, np.arange(len(labels)), labels, quota.shape[1])
    if first_keeps_all:
        is_tied = np.ones(quota.shape[1], bool)
        is_tied[cells.label[units.sizes[cells.unit] == 1]] = False
        anchor(part, room, cells, is_tied, draws)
    several = np.flatnonzero((units.sizes > 1) & (part == UNSET))
    choice = units.draws(seed, f"{purpose}: choice")
    for u in several[np.lexsort((draws[several], -units.sizes[several]))].tolist():
        at = slice(cells.begins[u], cells.begins[u + 1])
        part[u] = _choose(room[:, cells.label[at]], cells.counts[at], choice[u])
        room[part[u], cells.label[at]] -= cells.counts[at]
    _fill(part, room, units, labels, draws, first_keeps_all)
    if first_keeps_all:
        _fill_empty(part, quota, cells, units.sizes, draws)
    return part


def anchor(part: Array, room: Array, cells: Cells, needs: Array, draws: Array) -> None:
    """Give the first part a unit of each class that `needs` one (boolean per class), the rarest class first."""
    units_of_class: dict[int, list[int]] = {}
    for u, c in zip(cells.unit.tolist(), cells.label.tolist(), strict=True):
        if needs[c]:
            units_of_class.setdefault(c, []).append(u)
    covered: set[int] = set()
    for c in sorted(units_of_class, key=lambda c: (len(units_of_class[c]), c)):
        if c in covered:
            continue
        u = min(units_of_class[c], key=lambda u: draws[u])
        at = slice(cells.begins[u], cells.begins[u + 1])
        part[u] = 0
        room[0, cells.label[at]] -= cells.counts[at]
        covered.update(cells.label[at].tolist())


def _choose(room: Array, counts: Array, draw: float) -> int:
    """The part for a unit with `counts` of some classes, given the parts' `room` (parts × those classes)."""
    overfill = np.maximum(counts - np.maximum(room, 0.0), 0.0).sum(1)
    fitting = np.flatnonzero(overfill == 0)
    if len(fitting) == 0:
        return int(np.lexsort((-room.sum(1), overfill))[0])
    weight = np.cumsum(np.maximum(room[fitting], 0.0) @ counts)
    return int(fitting[min(np.searchsorted(weight, draw * weight[-1], side="right"), len(fitting) - 1)])


def _fill(part: Array, room: Array, units: Units, labels: Array, draws: Array, first_keeps_all: bool) -> None:
    """Single samples of each class, in the order of their hashes, to the last part first and the rest to the first."""
    rows = np.flatnonzero((units.sizes == 1)[units.of])
    rows = rows[np.lexsort((draws[units.of[rows]], labels[rows]))]
    ends = np.searchsorted(labels[rows], np.arange(room.shape[1] + 1))
    for c in range(room.shape[1]):
        singles = units.of[rows[ends[c] : ends[c + 1]]]
        if len(singles) == 0:
            continue
        left = np.maximum(room[:, c], 0).astype(np.int64)
        if left.sum() != len(singles):  # units that overfilled one part leave the others short: share what there is
            is_bare = first_keeps_all and room[0, c] > 0
            left = _share_out(left, len(singles), is_bare)
        part[singles] = np.repeat(np.arange(len(left))[::-1], left[::-1])


def _share_out(left: Array, n: int, first_keeps_one: bool) -> Array:
    """`n` samples shared among parts in proportion to their room, by largest remainders."""
    exact = left * (n / max(1, int(left.sum())))
    whole = np.floor(exact + 1e-9).astype(np.int64)
    wish = exact - whole
    if first_keeps_one and whole[0] == 0:
        wish[0] = np.inf
    whole[np.argsort(-wish, kind="stable")[: n - int(whole.sum())]] += 1
    return whole


def _fill_empty(part: Array, quota: Array, cells: Cells, sizes: Array, draws: Array) -> None:
    """Give a part that all units overfilled, and so got none, the unit nearest to its size that the first can spare."""
    for p in range(1, len(quota)):
        total = int(quota[p].sum())
        if total == 0 or (part == p).any():
            continue
        is_first = part[cells.unit] == 0
        last_of_class = np.bincount(cells.label[is_first], minlength=quota.shape[1])[cells.label] == 1
        spare = part == 0
        spare[cells.unit[is_first & last_of_class]] = False
        units = np.flatnonzero(spare)
        if len(units):
            part[units[np.lexsort((draws[units], np.abs(sizes[units] - total)))[0]]] = p


def by_hash(units: Units, shares: Sequence[float], seed: int, purpose: str) -> Array:
    """Part of each unit (int64) by its hash alone, the last part from 0 upwards: new units never move an old one."""
    draws = units.draws(seed, purpose)
    part = np.zeros(len(units), np.int64)
    edge = 0.0
    for i in range(len(shares) - 1, 0, -1):
        part[(draws >= edge) & (draws < edge + shares[i])] = i
        edge += shares[i]
    return part
