"""Where a factor gives a class away: regions of its values that hold one class nearly alone, counted on unseen samples.

A factor as such says little: on healthy CIFAR-10 the brightness, the corners, and even the blockiness of an image
predict its class far beyond chance, because they are content. What a shortcut looks like is a *region* of the factor
(this camera; corners whiter than 0.98) in which nearly every sample has one class. Regions are grown greedily by
information gain times coverage (Quinlan 1990, FOIL) from intervals of values on one half of the samples, and believed
by what they hold in the other half.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sightline.audits.regions import Column, Condition, Region, counted_region, inside

Array = np.ndarray[Any, Any]

QUANTILES = 24
"""Bins of a column beside those for single values that many samples of the class have."""

HEAVY = 1 / 24
"""Share of a class that one value must have to be a bin of its own: quantiles alone would hide it among neighbours."""

NEGATIVES = 9
"""Samples of other classes for each of the class when regions are grown; they are counted on all samples afterwards."""

STARTS, CONDITIONS = 6, 4
"""Regions grown for each class and factor, and the conditions that each may have."""

LEAST = 8
"""Samples of the class that a region holds at least in the half that it was grown on."""

WORTH = 0.2
"""Excess purity below which a region is not worth counting again."""


def scan(columns: Sequence[Column], labels: Array, label: int, draws: Array) -> Region | None:
    """The region of the columns that gives class `label` away most, or None where there is none to speak of.

    `labels` is int64, `draws` an independent uint64 for each sample, by which the halves are made. The best region of
    each half is counted in the other half, and the two counts are one: each sample is judged by a region that was
    grown without it. Single values of a column are finite in number, so that they are counted on all samples, and the
    number of values pays for having looked (Bonferroni).
    """
    is_class = labels == label
    found = [r for c in columns for r in _single_values(c, is_class, label, len(columns))]
    crossed = _crossed(columns, is_class, label, draws)
    found += [crossed] if crossed is not None else []
    # The purest among the sure ones: a pure core says more about a factor than its blurred surroundings.
    sure = [r for r in found if r.log10_chance < -6]
    return min(sure, key=lambda r: (r.log10_even, r.log10_chance), default=None)


def _crossed(columns: Sequence[Column], is_class: Array, label: int, draws: Array) -> Region | None:
    """The regions grown on the two halves, counted crosswise; described by the one that holds better."""
    half = (draws & np.uint64(1)).astype(bool)
    counts: list[tuple[float, tuple[Condition, ...], tuple[int, int]]] = []
    whole = (0, 0)
    for grown_on in (half, ~half):
        candidates = _grown(columns, is_class, grown_on, draws)
        if not candidates:
            continue
        own, unseen = (_totals(is_class, part) for part in (grown_on, ~grown_on))
        masks = {c: inside(c, columns) for c in candidates}
        grown = [counted_region(c, label, _counts(m & grown_on, is_class), own, 1) for c, m in masks.items()]
        best = min(grown, key=lambda r: (r.log10_even, r.log10_chance)).conditions
        counted = _counts(masks[best] & ~grown_on, is_class)
        region = counted_region(best, label, counted, unseen, 1)
        counts.append((region.log10_even, best, counted))
        whole = whole[0] + unseen[0], whole[1] + unseen[1]
    if not counts:
        return None
    hits, size = (sum(c[i] for _, _, c in counts) for i in (0, 1))
    return counted_region(min(counts, key=lambda c: c[0])[1], label, (hits, size), whole, 1)


def _totals(is_class: Array, part: Array) -> tuple[int, int]:
    """Samples in a part, and those of the class."""
    return int(part.sum()), int((is_class & part).sum())


def _counts(mask: Array, is_class: Array) -> tuple[int, int]:
    """Samples of the class under a mask, and all under it."""
    return int((mask & is_class).sum()), int(mask.sum())


def _single_values(column: Column, is_class: Array, label: int, columns: int) -> list[Region]:
    """Regions of one value that the class has often; of a measure that hardly ever repeats there are none."""
    if column.repeated is None:
        return []
    values, places, counts = column.repeated
    of_class = places[is_class]
    hits = np.bincount(of_class[of_class >= 0], minlength=len(values))
    rows = np.flatnonzero(hits >= max(LEAST, 0.02 * hits.sum()))
    whole, tried = (len(is_class), int(is_class.sum())), len(values) * columns
    return [
        counted_region((_condition(column, float(values[v]), float(values[v])),), label, (int(hits[v]), int(counts[v])),
                       whole, tried) for v in rows.tolist()
    ]  # fmt: skip


def _condition(column: Column, low: float, high: float) -> Condition:
    kind = column.kinds[int(low)] if column.kinds else ""
    return Condition(column=column.name, low=low, high=high, kind=kind)


def _grown(columns: Sequence[Column], is_class: Array, grown_on: Array, draws: Array) -> list[tuple[Condition, ...]]:
    """Regions grown on some of the samples, each a set of conditions."""
    positive = np.flatnonzero(is_class & grown_on)
    if len(positive) < 2 * LEAST:
        return []
    negative = np.flatnonzero(~is_class & grown_on)
    if len(negative) > NEGATIVES * len(positive):
        negative = negative[np.argsort(draws[negative], kind="stable")[: NEGATIVES * len(positive)]]
    rows = np.concatenate([positive, negative])
    bins = [_Bins.of(c, c.values[positive], c.values[rows]) for c in columns]
    search = _Search(tuple(b for b in bins if b is not None), len(positive))
    return search.regions() if search.bins else []


@dataclass(frozen=True, kw_only=True, eq=False)
class _Bins:
    """Values of a column as numbers of bins, 0 where unknown."""

    column: Column
    codes: Array
    lows: Array
    """First value of each bin from 1 on; the last bound is inf."""

    @classmethod
    def of(cls, column: Column, of_class: Array, values: Array) -> _Bins | None:
        """Bins with edges at quantiles of the class, and one for each value that many of its samples have.

        None for a column that does not vary.
        """
        known = of_class[np.isfinite(of_class)]
        if len(known) < LEAST:
            return None
        distinct, counts = np.unique(known, return_counts=True)
        is_heavy = counts >= HEAVY * len(known)
        if column.kinds:
            is_heavy[:] = True
            distinct = distinct[np.argsort(-counts, kind="stable")[:QUANTILES]]
            distinct.sort()
            is_heavy = is_heavy[: len(distinct)]
            edges = np.concatenate([distinct, np.nextafter(distinct, np.float32(np.inf))])
        else:
            place = (np.cumsum(counts) - counts) * QUANTILES // len(known)
            begins = np.flatnonzero(np.diff(place, prepend=-1))
            heavy = distinct[is_heavy]
            edges = np.concatenate([distinct[begins], heavy, np.nextafter(heavy, np.float32(np.inf))])
        lows = np.unique(np.concatenate([[-np.inf], edges]).astype(np.float32))
        if len(lows) < 2:
            return None
        codes = np.searchsorted(lows, values, side="right")
        return cls(column=column, codes=np.where(np.isfinite(values), codes, 0).astype(np.int64), lows=lows)

    def condition(self, first: int, last: int) -> Condition:
        """The condition that holds for the bins `first` … `last`, counted from 1."""
        low = float(self.lows[first - 1])
        is_open = last >= len(self.lows)  # bins that only other columns have are empty here
        high = math.inf if is_open else float(np.nextafter(self.lows[last], np.float32(-np.inf)))
        return _condition(self.column, low, high)


@dataclass(frozen=True, eq=False)
class _Search:
    """Greedy growth over binned columns; the first `positives` rows are those of the class."""

    bins: tuple[_Bins, ...]
    positives: int

    def regions(self) -> list[tuple[Condition, ...]]:
        """Conditions of the regions grown, no two alike."""
        everything = np.ones(self._codes.shape[1], bool)
        found: dict[tuple[Condition, ...], None] = {}
        for power in (1.0, 0.5):  # coverage counted whole finds common marks, its root finds rare and pure ones
            gains, lows, highs = self._best(everything, power)
            for i in np.argsort(-gains, kind="stable")[:STARTS].tolist():
                if gains[i] > 0:
                    conditions, excess = self._extended((i, int(lows[i]), int(highs[i])), float(gains[i]), power)
                    if excess >= WORTH:
                        found[conditions] = None
        return list(found)

    def _extended(self, first: tuple[int, int, int], gain: float, power: float) -> tuple[tuple[Condition, ...], float]:
        """Conditions of a region, and how pure it is beyond the share of the class where it was grown."""
        chosen = [first]
        mask = self._within(*first)
        while len(chosen) < CONDITIONS:
            gains, lows, highs = self._best(mask, power)
            i = int(np.argmax(gains))
            if gains[i] <= gain * 1.02:  # what adds next to nothing does not make a region clearer
                break
            gain = float(gains[i])
            chosen.append((i, int(lows[i]), int(highs[i])))
            mask = mask & self._within(*chosen[-1])
        base = self.positives / len(mask)
        purity = float(mask[: self.positives].sum() / mask.sum())
        return self._conditions(chosen), (purity - base) / (1 - base)

    @cached_property
    def _codes(self) -> Array:
        """Bin of each row in each column, [columns, rows]."""
        return np.stack([b.codes for b in self.bins])

    @cached_property
    def _intervals(self) -> tuple[Array, Array, Array]:
        """First and last bin of all intervals, and which of them each column may have: one kind, any run of values."""
        size = max(len(b.lows) for b in self.bins) + 1
        low, high = np.triu_indices(size, 1)
        single = high - low == 1
        return low, high, np.stack([single | (not b.column.kinds) for b in self.bins])

    def _within(self, i: int, low: int, high: int) -> Array:
        codes = self.bins[i].codes
        return np.asarray((codes >= low) & (codes <= high))

    def _conditions(self, chosen: list[tuple[int, int, int]]) -> tuple[Condition, ...]:
        """One condition for each column; where one was narrowed several times, what all of them leave."""
        narrowest: dict[int, tuple[int, int]] = {}
        for i, low, high in chosen:
            before = narrowest.get(i, (low, high))
            narrowest[i] = (max(low, before[0]), min(high, before[1]))
        return tuple(self.bins[i].condition(*narrowest[i]) for i in sorted(narrowest))

    def _best(self, mask: Array, power: float) -> tuple[Array, Array, Array]:
        """For each column the gain, the first and the last bin of the interval that raises the class's share most."""
        low, high, allowed = self._intervals
        base = self.positives / len(mask)
        k, n = (self._cumulated(self._codes[:, m]) for m in (mask[: self.positives].nonzero()[0], mask.nonzero()[0]))
        hits, total = k[:, high] - k[:, low], n[:, high] - n[:, low]
        with np.errstate(divide="ignore", invalid="ignore"):
            # Two invisible samples at the base rate: 8 of 8 is less than 80 of 80.
            gain = hits**power * np.log((hits + 2 * base) / (total + 2) / base)
        gain[(hits < LEAST) | ~allowed] = -np.inf
        at = gain.argmax(1)
        return gain[np.arange(len(gain)), at], low[at] + 1, high[at]

    def _cumulated(self, codes: Array) -> Array:
        """Rows in the bins before each bin from 1 on, [columns, bins]; unknown values are in none."""
        size = max(len(b.lows) for b in self.bins) + 1
        offsets = size * np.arange(len(codes))[:, None]
        counts = np.bincount((codes + offsets).ravel(), minlength=size * len(codes)).reshape(len(codes), size)
        counts[:, 0] = 0
        return np.asarray(counts.cumsum(1))
