"""Pairs of images that show the same photograph, and the clusters they make."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, Any]

CERTAIN = 0.5
"""Score from which a pair counts as the same photograph: a leak where it lies in two splits."""

POSSIBLE = 0.1
"""Score from which a pair deserves a second look; below it no pair is kept."""

STRONG = 0.9
"""Score from which one pair alone joins two clusters."""


class Thumbnails(Protocol):
    """Small upright pictures of a table's images, as an inspection holds them."""

    @property
    def side(self) -> int:
        """Rows and columns of every thumbnail: an even number of 32 or more."""
        ...

    def __len__(self) -> int: ...

    def thumbnails(self, start: int, stop: int) -> Array:
        """RGB pictures of rows `start` to `stop`, uint8 [n, side, side, 3]; black where there is none."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class NearPairs:
    """Pairs of rows, each unordered pair once, the most certain first (equal scores by row)."""

    size: int
    """Number of rows that were looked at."""
    first: Array
    """Row of one image, int64 [n]."""
    second: Array
    """Row of the other, int64 [n]; larger than `first`."""
    score: Array
    """How certainly both show the same photograph, float32 [n], POSSIBLE … 1."""

    def __post_init__(self) -> None:
        if not len(self.first) == len(self.second) == len(self.score):
            raise ValueError("a pair has two rows and a score")
        if len(self.first) and not (self.first.min() >= 0 and (self.first < self.second).all()
                                    and self.second.max() < self.size):  # fmt: skip
            raise ValueError(f"a pair is two rows of 0 … {self.size - 1}, the smaller one first")

    @classmethod
    def of(cls, size: int, a: Array, b: Array, score: Array) -> NearPairs:
        """Pairs (a, b) in any order and with repeats; of a pair given twice the higher score counts."""
        first, second = np.minimum(a, b).astype(np.int64), np.maximum(a, b).astype(np.int64)
        order = np.lexsort((-score, second, first))
        first, second, score = first[order], second[order], score[order]
        is_new = np.ones(len(first), bool)
        is_new[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
        first, second, score = first[is_new], second[is_new], score[is_new].astype(np.float32)
        order = np.lexsort((second, first, -score))
        return cls(size=size, first=first[order], second=second[order], score=score[order])

    def __len__(self) -> int:
        return len(self.first)

    def at_least(self, score: float) -> NearPairs:
        """The pairs with this score or a higher one."""
        keep = self.score >= score
        return replace(self, first=self.first[keep], second=self.second[keep], score=self.score[keep])

    @property
    def certain(self) -> NearPairs:
        """The pairs that count as the same photograph."""
        return self.at_least(CERTAIN)

    def among(self, rows: Array) -> NearPairs:
        """The pairs whose two rows are both in `rows`; row numbers stay those of the whole table."""
        is_in = np.zeros(self.size, bool)
        is_in[rows] = True
        keep = is_in[self.first] & is_in[self.second]
        return replace(self, first=self.first[keep], second=self.second[keep], score=self.score[keep])

    def clusters(self, score: float = CERTAIN) -> Array:
        """For each row the smallest row of its cluster, int64 [size]; a row without a copy is its own cluster.

        Pairs of `STRONG` score join whatever they touch. A weaker one joins two clusters only when at least half of
        the smaller one's rows have such a pair with the larger: one doubtful pair between two large clusters would
        otherwise make one of them, and a chain of such pairs makes one cluster of half a dataset.
        """
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        strong = self.at_least(max(score, STRONG))
        graph = coo_matrix((np.ones(len(strong), np.int8), (strong.first, strong.second)), (self.size, self.size))
        cluster = _smallest_rows(connected_components(graph, directed=False)[1])
        weak = self.at_least(score)
        while True:
            joined = _joined(cluster, weak)
            if joined is None:
                return cluster
            cluster = joined


def _smallest_rows(component: Array) -> Array:
    """The same partition, each part named by its smallest row."""
    _, smallest, part = np.unique(component, return_index=True, return_inverse=True)
    return smallest.astype(np.int64)[part]


def _joined(cluster: Array, pairs: NearPairs) -> Array | None:
    """The partition after one round of joining, or None when no two clusters may be joined.

    In a round each cluster takes part in one joining at most, the most certain first, so that the next looks at the
    sizes that came of it.
    """
    a, b = cluster[pairs.first], cluster[pairs.second]
    crosses = np.flatnonzero(a != b)
    if not len(crosses):
        return None
    ends: dict[tuple[int, int], tuple[set[int], set[int]]] = {}
    for i in crosses.tolist():
        x, y = int(pairs.first[i]), int(pairs.second[i])
        if cluster[x] > cluster[y]:
            x, y = y, x
        touched = ends.setdefault((int(cluster[x]), int(cluster[y])), (set(), set()))
        touched[0].add(x)
        touched[1].add(y)
    sizes = np.bincount(cluster, minlength=pairs.size)
    taken: dict[int, int] = {}
    for (p, q), (in_p, in_q) in ends.items():  # in the order of the most certain pair
        part, touching = (in_p, sizes[p]) if sizes[p] <= sizes[q] else (in_q, sizes[q])
        if p not in taken and q not in taken and 2 * len(part) >= touching:
            taken[p] = taken[q] = min(p, q)
    if not taken:
        return None
    renamed = np.arange(pairs.size)
    renamed[list(taken)] = list(taken.values())
    return renamed[cluster]
