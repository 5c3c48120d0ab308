"""Rules that allot units to parts: by class, by hash, by time. Pure functions of numbers; nothing is shuffled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sightline.errors import SplitError
from sightline.splits.units import Units

Array = np.ndarray[Any, Any]

UNSET = -1


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
    pairs, counts = np.unique(units.of * quota.shape[1] + labels, return_counts=True)
    unit, label = np.divmod(pairs, quota.shape[1])
    begins = np.searchsorted(unit, np.arange(len(units) + 1))
    if first_keeps_all:
        _anchor(part, room, (unit, label, counts, begins), units.sizes, draws)
    several = np.flatnonzero((units.sizes > 1) & (part == UNSET))
    choice = units.draws(seed, f"{purpose}: choice")
    for u in several[np.lexsort((draws[several], -units.sizes[several]))].tolist():
        at = slice(begins[u], begins[u + 1])
        part[u] = _choose(room[:, label[at]], counts[at], choice[u])
        room[part[u], label[at]] -= counts[at]
    _fill(part, room, units, labels, draws, first_keeps_all)
    return part


def _anchor(part: Array, room: Array, cells: tuple[Array, ...], sizes: Array, draws: Array) -> None:
    """Give the first part a unit of each class that lies in units of several samples alone, the rarest class first."""
    unit, label, counts, begins = cells
    has_single = np.zeros(room.shape[1], bool)
    has_single[label[sizes[unit] == 1]] = True
    units_of_class: dict[int, list[int]] = {}
    for u, c in zip(unit.tolist(), label.tolist(), strict=True):
        if not has_single[c]:
            units_of_class.setdefault(c, []).append(u)
    covered: set[int] = set()
    for c in sorted(units_of_class, key=lambda c: (len(units_of_class[c]), c)):
        if c in covered:
            continue
        u = min(units_of_class[c], key=lambda u: draws[u])
        at = slice(begins[u], begins[u + 1])
        part[u] = 0
        room[0, label[at]] -= counts[at]
        covered.update(label[at].tolist())


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


def by_hash(units: Units, shares: Sequence[float], seed: int, purpose: str) -> Array:
    """Part of each unit (int64) by its hash alone, the last part from 0 upwards: new units never move an old one."""
    draws = units.draws(seed, purpose)
    part = np.zeros(len(units), np.int64)
    edge = 0.0
    for i in range(len(shares) - 1, 0, -1):
        part[(draws >= edge) & (draws < edge + shares[i])] = i
        edge += shares[i]
    return part


def by_time(units: Units, times: Array, totals: Sequence[int]) -> Array:
    """Part of each unit (int64) by its latest time: train, then val, then test, cut between two distinct times.

    `times` is an int64 for each sample. Training thus ends before val begins, and val before test. Of all cuts the one
    is taken that comes nearest to the totals. Raises SplitError when there are too few distinct times.
    """
    latest = np.full(len(units), np.iinfo(np.int64).min)
    np.maximum.at(latest, units.of, times)
    moments, of = np.unique(latest, return_inverse=True)
    samples = np.bincount(of, weights=units.sizes, minlength=len(moments)).astype(np.int64)
    wanted = [i for i, total in enumerate(totals) if total > 0]
    if len(moments) < len(wanted):
        raise SplitError(f"A split by time needs at least {len(wanted)} distinct times, got {len(moments)}. Give a "
                         "column with finer times to `sightline index --time`, or do without: --val 0.")  # fmt: skip
    part_of_moment = np.zeros(len(moments), np.int64)
    end = len(moments)
    for i in reversed(wanted[1:] if wanted[0] == 0 else wanted):
        keep = sum(j < i for j in wanted)  # at least one moment for every earlier part
        held = np.cumsum(samples[keep:end][::-1])
        begin = end - 1 - int(np.argmin(np.abs(held - totals[i])))
        part_of_moment[begin:end] = i
        end = begin
    return np.asarray(part_of_moment[of], np.int64)
