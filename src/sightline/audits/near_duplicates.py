"""Near duplicates: one photograph twice, cropped, shifted, mirrored, recoloured, resized, turned, compressed again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sightline.audits.evidence import Array, Evidence
from sightline.audits.findings import RANK, Finding
from sightline.similarity import CERTAIN, STRONG, NearPairs


def near_duplicates(evidence: Evidence) -> list[Finding]:
    """Copies whose pixels differ, then pairs that a person should look at; the most certain first.

    Certain pairs count as leaks where they lie in two splits: error where test is involved, else warning. Within one
    split they are info; under different labels a warning, or an error where the pair is beyond doubt. Each sample that
    has a copy in another split is in a pair across; within a split k copies give at most k - 1 pairs. A pair that is
    only possible is info whatever its splits, and counts for nothing: many of them are lookalikes. Equal pixels are
    left to `exact-duplicates`.

    What the score means, and how certain pairs were found to be: `sightline.similarity.scoring`.
    """
    pairs = evidence.near_pairs
    certain = pairs.certain
    pixels = evidence.samples.column("pixel_sha256")
    clusters = certain.clusters()
    rank = np.array([RANK.get(s, -1) for s in evidence.assigned], np.int64)
    through = _through_others(rank, certain, clusters)
    links = [*_direct(rank, certain, {link.row for link in through}), *{(w.a, w.b): w for w in through}.values()]
    sizes = np.bincount(clusters, minlength=pairs.size)
    found = [
        _certain(evidence, link, int(sizes[clusters[link.a]])) for link in links
        if pixels[link.a] is None or pixels[link.a] != pixels[link.b]
    ]  # fmt: skip
    found.sort(key=lambda f: -f.score)
    told = {frozenset((link.a, link.b)) for link in links}
    possible = [v[pairs.score < CERTAIN].tolist() for v in (pairs.first, pairs.second, pairs.score)]
    return [*found, *(_possible(evidence, rank, a, b, s) for a, b, s in zip(*possible, strict=True)
                      if frozenset((a, b)) not in told)]  # fmt: skip


@dataclass(frozen=True)
class _Link:
    a: int
    b: int
    score: float
    row: int = -1
    """The row that has no pair of its own into the other split; -1: the two are a pair."""


def _direct(rank: Array, pairs: NearPairs, indirect: set[int]) -> list[_Link]:
    """Of each sample its most certain pair into another split, or where it has none its most certain pair.

    Samples in `indirect` are linked through others, and need none.
    """
    crosses = (rank[pairs.first] != rank[pairs.second]) & (rank[pairs.first] >= 0) & (rank[pairs.second] >= 0)
    best = _most_certain(pairs, np.ones(len(pairs), bool))
    across = _most_certain(pairs, crosses)
    chosen = np.where(across >= 0, across, best)
    chosen[sorted(indirect)] = -1
    return [_link(rank, int(pairs.first[i]), int(pairs.second[i]), float(pairs.score[i]))
            for i in np.unique(chosen[chosen >= 0]).tolist()]  # fmt: skip


def _through_others(rank: Array, pairs: NearPairs, clusters: Array) -> list[_Link]:
    """Samples that are in a cluster with another split without a pair of their own into it: a copy of a copy."""
    crosses = (rank[pairs.first] != rank[pairs.second]) & (rank[pairs.first] >= 0) & (rank[pairs.second] >= 0)
    has_own = _most_certain(pairs, crosses) >= 0
    best = _most_certain(pairs, np.ones(len(pairs), bool))
    rows = np.flatnonzero(rank >= 0)
    order = rows[np.lexsort((rows, rank[rows], clusters[rows]))]
    named = clusters[order]
    lowest = dict(zip(named[::-1].tolist(), order[::-1].tolist(), strict=True))
    highest = dict(zip(named.tolist(), order.tolist(), strict=True))
    links = []
    for row in rows[~has_own[rows] & (best[rows] >= 0)].tolist():
        low, high = lowest[int(clusters[row])], highest[int(clusters[row])]
        if rank[low] != rank[high]:
            other = high if rank[row] < rank[high] else low
            links.append(_link(rank, row, other, float(pairs.score[best[row]]), row))
    return links


def _most_certain(pairs: NearPairs, which: Array) -> Array:
    """For each row the first of the chosen pairs that it is in, int64 [size]; -1 where there is none."""
    best = np.full(pairs.size, -1, np.int64)
    chosen = np.flatnonzero(which)[::-1]  # the last write wins, and pairs are sorted
    ends = np.stack([pairs.first[chosen], pairs.second[chosen]], 1).ravel()
    best[ends] = np.repeat(chosen, 2)
    return best


def _link(rank: Array, a: int, b: int, score: float, row: int = -1) -> _Link:
    a, b = (b, a) if rank[a] > rank[b] else (a, b)
    return _Link(a, b, score, row)


def _certain(evidence: Evidence, link: _Link, copies: int) -> Finding:
    splits = (evidence.assigned[link.a], evidence.assigned[link.b])
    is_across = None not in splits and splits[0] != splits[1]
    names = (evidence.class_name(link.a), evidence.class_name(link.b))
    is_disputed = None not in names and names[0] != names[1]
    said = ["the same photograph" if link.row < 0 else "a copy of a copy"]
    said += [f"in {splits[0]} and {splits[1]}"] if is_across else []
    said += [f"labelled {names[0]} and {names[1]}"] if is_disputed else []
    is_grave = (is_across and "test" in splits) or (is_disputed and link.score >= STRONG)
    level = "error" if is_grave else "warning" if is_across or is_disputed else "info"
    return Finding(
        level=level, subject=evidence.keys[link.a], message=", ".join(said), score=link.score,
        sample_id=evidence.ids[link.a], related_id=evidence.ids[link.b], splits=splits,
        evidence={"related": evidence.keys[link.b], "labels": list(names), "certain": True,
                  "copies": copies},
    )  # fmt: skip


def _possible(evidence: Evidence, rank: Array, a: int, b: int, score: float) -> Finding:
    a, b = (b, a) if rank[a] > rank[b] else (a, b)
    between = [evidence.assigned[a], evidence.assigned[b]]
    return Finding(
        level="info", subject=evidence.keys[a], score=score,
        message="very similar: the same photograph, or another of the same thing; look at both",
        sample_id=evidence.ids[a], related_id=evidence.ids[b],
        evidence={"related": evidence.keys[b], "labels": [evidence.class_name(a), evidence.class_name(b)],
                  "certain": False, "between": between},
    )  # fmt: skip
