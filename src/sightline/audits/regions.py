"""Regions of a factor's values, and what a count of the samples in them is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Column:
    """One number, or one of several kinds, for each sample."""

    name: str
    """For people: "JPEG quality", "camera"."""
    values: Array
    """float32 [n]; NaN where it is not known. Of a column of kinds: their numbers."""
    kinds: tuple[str, ...] = ()
    """What the numbers stand for; empty where they are a measure."""

    @cached_property
    def repeated(self) -> tuple[Array, Array, Array] | None:
        """Distinct values, the place of each sample among them (-1 where unknown), and how many samples have each.

        None where a value hardly ever repeats, as in a measure of the picture.
        """
        known = np.isfinite(self.values)
        values, codes, counts = np.unique(self.values[known], return_inverse=True, return_counts=True)
        if len(values) < 2 or len(values) > len(codes) / 4:
            return None
        places = np.full(len(self.values), -1, np.int64)
        places[known] = codes
        return values, places, counts


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Values of a column between two bounds, both included."""

    column: str
    low: float
    high: float
    kind: str = ""
    """What the value stands for, in a column of kinds."""

    def holds(self, values: Array) -> Array:
        """Boolean per value."""
        return (values >= np.float32(self.low)) & (values <= np.float32(self.high))

    def __str__(self) -> str:
        if self.kind:
            return f"{self.column} {self.kind}"
        if self.low == self.high:
            return f"{self.column} {self.low:.4g}"
        if math.isinf(self.low):
            return f"{self.column} ≤ {self.high:.3g}"
        if math.isinf(self.high):
            return f"{self.column} > 0" if 0 < self.low < 1e-9 else f"{self.column} ≥ {self.low:.3g}"
        return f"{self.column} {self.low:.3g} to {self.high:.3g}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Region:
    """Conditions that hold together, with what the samples that they were not grown on say."""

    conditions: tuple[Condition, ...]
    label: int
    hits: int
    """Samples of the class among those in the region."""
    size: int
    """Samples in the region."""
    share: float
    """Share of the class among all samples that were counted."""
    reach: float
    """Share of the class that lies in the region."""
    log10_even: float
    """log10 of the chance of so many hits, were the purity half way between the class's share and 1."""
    log10_chance: float
    """log10 of the chance of so many hits, had the factor nothing to do with the class; times the regions tried."""

    @property
    def purity(self) -> float:
        """Share of the class in the region."""
        return self.hits / self.size if self.size else 0.0

    @property
    def excess(self) -> float:
        """Purity beyond the class's share, as a part of what is possible: 0 says nothing, 1 gives the class away."""
        return (self.purity - self.share) / (1 - self.share) if self.share < 1 else 0.0

    def __str__(self) -> str:
        return " and ".join(map(str, self.conditions))


def inside(conditions: Sequence[Condition], columns: Sequence[Column]) -> Array:
    """Boolean per sample: all conditions hold."""
    values = {c.name: c.values for c in columns}
    mask = np.ones(len(columns[0].values), bool)
    for condition in conditions:
        mask &= condition.holds(values[condition.column])
    return mask


def counted_region(
    conditions: tuple[Condition, ...], label: int, counted: tuple[int, int], whole: tuple[int, int], tried: int
) -> Region:
    """`counted`: samples of the class in the region, and all in it; `whole`: all samples, and those of the class."""
    (hits, size), (total, of_class) = counted, whole
    share = of_class / total if total else 0.0
    chance = log10_tail(hits, size, share) + math.log10(max(1, tried))
    return Region(conditions=conditions, label=label, hits=hits, size=size, share=share,
                  reach=hits / of_class if of_class else 0.0, log10_even=log10_tail(hits, size, (1 + share) / 2),
                  log10_chance=min(0.0, chance))  # fmt: skip


def log10_tail(hits: int, size: int, p: float) -> float:
    """log10 of the chance of at least `hits` successes in `size` draws of probability `p`; 0 for no draw."""
    if hits <= 0 or size == 0 or p >= 1:
        return 0.0
    if p <= 0:
        return -math.inf
    counts = np.arange(hits, size + 1)
    logs = (math.lgamma(size + 1) - _lgamma(counts + 1) - _lgamma(size - counts + 1)
            + counts * math.log(p) + (size - counts) * math.log1p(-p))  # fmt: skip
    top = float(logs.max())
    return min(0.0, (top + math.log(float(np.exp(logs - top).sum()))) / math.log(10))


_SMALL = np.array([math.lgamma(max(1, v)) for v in range(32)])


def _lgamma(values: Array) -> Array:
    """log Γ of whole numbers from 1 on: from a table up to 31, beyond by Stirling's series, exact to 1e-10 there."""
    x = values.astype(np.float64)
    series = (x - 0.5) * np.log(x) - x + 0.5 * math.log(2 * math.pi) + 1 / (12 * x) - 1 / (360 * x**3)
    return np.asarray(np.where(values < 32, _SMALL[np.minimum(values, 31)], series))
