"""Pairs: once each, sorted; clusters: what joins them and what does not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.similarity import CERTAIN, NearPairs
from sightline.similarity.pairs import STRONG

SOME = settings(max_examples=60, deadline=None)
SURE, DOUBTFUL = 0.99, (CERTAIN + STRONG) / 2


def pairs(size: int, *given: tuple[int, int, float]) -> NearPairs:
    a, b, score = (np.array(v) for v in zip(*given, strict=True)) if given else (np.empty(0, int),) * 3
    return NearPairs.of(size, a, b, score)


def among(rows: list[int], score: float) -> list[tuple[int, int, float]]:
    return [(a, b, score) for a, b in itertools.combinations(rows, 2)]


def test_a_pair_is_told_once_with_its_higher_score() -> None:
    found = pairs(5, (3, 1, 0.6), (1, 3, 0.9), (0, 4, 0.95), (2, 0, 0.2))
    assert list(zip(found.first.tolist(), found.second.tolist(), strict=True)) == [(0, 4), (1, 3), (0, 2)]
    assert found.score.tolist() == pytest.approx([0.95, 0.9, 0.2])
    assert len(found.certain) == 2


def test_pairs_are_checked_when_they_are_born() -> None:
    with pytest.raises(ValueError, match="smaller one first"):
        NearPairs(size=3, first=np.array([2]), second=np.array([1]), score=np.array([1.0]))
    with pytest.raises(ValueError, match="0 … 2"):
        NearPairs(size=3, first=np.array([0]), second=np.array([3]), score=np.array([1.0]))


def test_pairs_among_some_rows() -> None:
    found = pairs(6, (0, 1, 0.9), (1, 2, 0.8), (4, 5, 0.7)).among(np.array([1, 2, 4]))
    assert (found.first.tolist(), found.second.tolist(), found.size) == ([1], [2], 6)


def test_doubtful_pair_between_large_clusters_joins_nothing() -> None:
    left, right = list(range(5)), list(range(5, 10))
    tight = [*among(left, SURE), *among(right, SURE)]
    assert set(pairs(11, *tight, (2, 7, DOUBTFUL)).clusters().tolist()) == {0, 5, 10}
    assert set(pairs(11, *tight, (2, 7, SURE)).clusters().tolist()) == {0, 10}
    several = [(2, 7, DOUBTFUL), (1, 6, DOUBTFUL), (0, 8, DOUBTFUL)]
    assert set(pairs(11, *tight, *several).clusters().tolist()) == {0, 10}, "three of five rows agree"


def test_doubtful_pairs_join_single_rows() -> None:
    chain = [(i, i + 1, DOUBTFUL) for i in range(15)]
    clusters = pairs(16, *chain).clusters()
    sizes = np.bincount(clusters)
    assert clusters[0] == clusters[1]
    assert 2 <= sizes.max() <= 4, "a chain of doubtful pairs does not become one cluster"


def test_clusters_at_another_score() -> None:
    found = pairs(3, (0, 1, 0.3), (1, 2, 0.95))
    assert found.clusters().tolist() == [0, 1, 1]
    assert found.clusters(0.2).tolist() == [0, 0, 0]
    assert pairs(3).clusters().tolist() == [0, 1, 2]


@SOME
@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11), st.sampled_from([0.2, 0.6, 0.8, 0.95, 1.0])),
                max_size=30))  # fmt: skip
def test_clusters_are_parts_of_the_components(given: list[tuple[int, int, float]]) -> None:
    found = pairs(12, *((a, b, s) for a, b, s in given if a != b))
    clusters = found.clusters()
    assert (clusters[clusters] == clusters).all()
    assert (clusters <= np.arange(12)).all()
    reach = np.eye(12, dtype=bool)
    for a, b, s in zip(found.first, found.second, found.score, strict=True):
        if s >= CERTAIN:
            reach[a, b] = reach[b, a] = True
        if s >= STRONG:
            assert clusters[a] == clusters[b]
    for _ in range(4):
        reach = (reach.astype(int) @ reach) > 0
    assert reach[np.arange(12), clusters].all()
