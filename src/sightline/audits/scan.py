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

    `labels` is int64, `draws` an independent uint64 for each sample, by which the halves are made: each half's regions
    are counted in the other. Single values of a column are finite in number, so that they are counted on all samples,
    and the number of values pays for having looked (Bonferroni).
    """
    is_class = labels == label
    found = [r for c in columns for r in _single_values(c, is_class, label, len(columns))]
    half = (draws & np.uint64(1)).astype(bool)
    for grown_on in (half, ~half):
        tried = _grown(columns, is_class, grown_on, draws)
        unseen = int((~grown_on).sum()), int((is_class & ~grown_on).sum())
        for conditions in tried:
            mask = inside(conditions, columns) & ~grown_on
            counted = int((mask & is_class).sum()), int(mask.sum())
            found.append(counted_region(conditions, label, counted, unseen, 2 * len(tried)))
    # The purest among the sure ones: a pure core says more about a factor than its blurred surroundings.
    sure = [r for r in found if r.log10_chance < -6]
    return min(sure, key=lambda r: (r.log10_even, r.log10_chance), default=None)


def _single_values(column: Column, is_class: Array, label: int, columns: int) -> list[Region]:
    """Regions of one value that the class has often; of a measure that hardly ever repeats there are none."""
    if column.repeated is None:
        return []
    values, places, counts = column.repeated
    of_class = places[is_class]
    hits = np.bincount(of_class[of_class >= 0], minlength=len(values))
    rows = np.flatnonzero(hits >= max(LEAST, 0.02 * hits.sum()))
    whole, tried = (len(is_class), int(is_class.sum())), len(values) * columns
    return [counted_region((_condition(column, float(values[v]), float(values[v])),), label, (int(hits[v]), int(counts[v])),
                     whole, tried) for v in rows.tolist()]  # fmt: skip


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
            distinct = distinct[np.argsort(-counts, kind="stable")[: 2 * QUANTILES]]
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
        high = float(np.nextafter(self.lows[last], np.float32(-np.inf))) if last < len(self.lows) else math.inf
        return _condition(self.column, low, high)


@dataclass(frozen=True, eq=False)
class _Search:
    """Greedy growth over binned columns; the first `positives` rows are those of the class."""

    bins: tuple[_Bins, ...]
    positives: int

    def regions(self) -> list[tuple[Condition, ...]]:
        """Conditions of the regions grown, no two alike."""
        n = len(self.bins[0].codes)
        everything = np.ones(n, bool)
        found: dict[tuple[Condition, ...], None] = {}
        for power in (1.0, 0.5):  # coverage counted whole finds common marks, its root finds rare and pure ones
            firsts = [self._best(b, everything, power) for b in self.bins]
            order = sorted(range(len(firsts)), key=lambda i: (-firsts[i][0], i))[:STARTS]
            for i in order:
                if firsts[i][0] > 0:
                    conditions, excess = self._extended(i, firsts[i], power)
                    if excess >= WORTH:
                        found[conditions] = None
        return list(found)

    def _extended(self, start: int, first: tuple[float, int, int], power: float) -> tuple[tuple[Condition, ...], float]:
        """Conditions of a region, and how pure it is beyond the share of the class where it was grown."""
        gain, low, high = first
        chosen = [(start, low, high)]
        mask = self._within(start, low, high)
        while len(chosen) < CONDITIONS:
            options = [self._best(b, mask, power) for b in self.bins]
            i = max(range(len(options)), key=lambda j: (options[j][0], -j))
            if options[i][0] <= gain * 1.02:  # what adds next to nothing does not make a region clearer
                break
            gain, low, high = options[i]
            chosen.append((i, low, high))
            mask = mask & self._within(i, low, high)
        base = self.positives / len(mask)
        purity = float(mask[: self.positives].sum() / mask.sum())
        return self._conditions(chosen), (purity - base) / (1 - base)

    def _within(self, i: int, low: int, high: int) -> Array:
        codes = self.bins[i].codes
        return np.asarray((codes >= low) & (codes <= high))

    def _conditions(self, chosen: list[tuple[int, int, int]]) -> tuple[Condition, ...]:
        """One condition for each column, where a column was narrowed several times the last of them."""
        narrowest: dict[int, tuple[int, int]] = {}
        for i, low, high in chosen:
            before = narrowest.get(i, (low, high))
            narrowest[i] = (max(low, before[0]), min(high, before[1]))
        return tuple(self.bins[i].condition(*narrowest[i]) for i in sorted(narrowest))

    def _best(self, bins: _Bins, mask: Array, power: float) -> tuple[float, int, int]:
        """Gain, first and last bin of the interval that raises the class's share most, coverage counted."""
        size = len(bins.lows) + 1
        all_n = np.bincount(bins.codes[mask], minlength=size)
        all_k = np.bincount(bins.codes[: self.positives][mask[: self.positives]], minlength=size)
        base = self.positives / len(bins.codes)
        n = np.concatenate([[0], np.cumsum(all_n[1:])])
        k = np.concatenate([[0], np.cumsum(all_k[1:])])
        if bins.column.kinds:
            low = np.arange(size - 1)
            high = low + 1
        else:
            low, high = np.triu_indices(size, 1)
        hits, total = k[high] - k[low], n[high] - n[low]
        with np.errstate(divide="ignore", invalid="ignore"):
            # Two invisible samples at the base rate: 8 of 8 is less than 80 of 80.
            gain = hits**power * np.log((hits + 2 * base) / (total + 2) / base)
        gain[hits < LEAST] = -np.inf
        i = int(np.argmax(gain))
        return float(gain[i]), int(low[i]) + 1, int(high[i])
