"""The search: candidates of every picture, laid over each other coarsely, the promising ones finely, then scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.parallel import in_order, one_thread
from sightline.progress import progress
from sightline.similarity.alignment import fine
from sightline.similarity.candidates import Finder, faiss
from sightline.similarity.pairs import POSSIBLE, NearPairs, Thumbnails
from sightline.similarity.pictures import Pictures
from sightline.similarity.placement import CoarseAligner, rigid, started
from sightline.similarity.scoring import scores

Array = np.ndarray[Any, Any]

ROWS = 1024
"""Pictures looked up at a time. Blocks are the same however many threads work on them."""

REFINED = 20
"""Candidates of one picture laid over it coarsely with an affine map; those that are most alike and agree best."""

PROMISING = 0.75
"""Coarse agreement and half the likeness from which a pair is laid over each other finely.

Parts of three fifths agree badly at 16 pixels: of 500 judged by the agreement alone 386 come so far, by both 422.
"""

FINELY = 4
"""Pairs of one picture laid over each other finely at most, those of the highest sums."""

FEW = 8
"""Below this many pictures nothing is said of how alike they are: half of their pairs may be copies."""

DRAWN = 2000
"""Pairs drawn to say it; the median is then known to about .01."""

UNTOLD = 0.45
"""Agreement that counts as usual for a picture with no second candidate, as in a table of two: what others have."""


def near_pairs(thumbnails: Thumbnails) -> NearPairs:
    """Pairs of rows that show, or could show, the same photograph. Needs the extra `audit`.

    Every picture is looked up in all others, mirrored and in parts, so that a copy is found from the larger of the
    two. Pictures without anything to recognise are in no pair; equal thumbnails have the score 1. The result is a
    function of the thumbnails alone, whatever the number of threads. Memory grows by about 2 kB a row; the
    luminance of large thumbnails lies in a temporary file where they are many.
    """
    faiss()  # says that it is missing before the pictures are read
    pictures = Pictures.of(thumbnails)
    copies = np.flatnonzero(pictures.first != np.arange(len(pictures)))
    copies = copies[pictures.is_told[copies]]
    looked = [NearPairs.of(len(pictures), pictures.first[copies], copies, np.ones(len(copies), np.float32))]
    rows = pictures.compared
    if len(rows) > 1:
        looked.append(_searched(pictures, rows))
    a, b, score = (np.concatenate([getattr(p, name) for p in looked]) for name in ("first", "second", "score"))
    return NearPairs.of(len(pictures), a, b, score)


def _searched(pictures: Pictures, rows: Array) -> NearPairs:
    finder, aligner = Finder.over(pictures), CoarseAligner()
    blocks = [rows[i : i + ROWS] for i in range(0, len(rows), ROWS)]
    usual = np.zeros(len(pictures), np.float32)
    parts = []
    with progress("search", len(rows)) as advance:
        for seen in in_order(lambda block: look(pictures, finder, aligner, block), blocks):
            usual[seen.rows] = seen.usual
            parts.append(seen)
            advance(len(seen.rows))
    query, found = (np.concatenate([getattr(p, name) for p in parts]) for name in ("query", "found"))
    evidence = np.concatenate([p.evidence for p in parts])
    with one_thread():
        alike = _alike(pictures, aligner, rows)
    score = scores(evidence, usual[np.stack([query, found], 1)], alike, pictures.side)
    keep = score >= POSSIBLE
    return NearPairs.of(len(pictures), query[keep], found[keep], score[keep])


@dataclass(frozen=True, eq=False, kw_only=True)
class Seen:
    """What was seen of the candidates of some pictures."""

    query: Array
    """Row that was looked up, int64 [n]."""
    found: Array
    """Row that was found, int64 [n]."""
    evidence: Array
    """What speaks for the pair, float32 [n, scoring.EVIDENCE]."""
    rows: Array
    """All rows that were looked up, int64 [m]."""
    usual: Array
    """Median agreement of each with its candidates, nearly all lookalikes, when they are only moved: float32 [m]."""


def look(pictures: Pictures, finder: Finder, aligner: CoarseAligner, block: Array) -> Seen:
    """The promising candidates of some rows, which ascend, with what speaks for them."""
    found = finder.find(block)
    coarse = aligner.align(pictures, found.query, found.found, found.view)
    kept = _highest(found.query, coarse.agreement + 0.5 * found.likeness, REFINED)
    query, other = found.query[kept], found.found[kept]
    starts = started(found.view[kept], coarse.shift[kept])
    warps, agreement = aligner.refine(pictures, query, other, starts)
    likeness = found.likeness[kept]
    promise = agreement + 0.5 * likeness
    best = _highest(query, promise, FINELY)
    best = best[promise[best] >= PROMISING]
    agreements = fine(pictures, query[best], other[best], warps[best], starts[best])
    middles = rigid(pictures, query[best], other[best], found.view[kept][best])
    return Seen(query=query[best], found=other[best], evidence=np.concatenate([agreements, middles[:, None]], 1),
                rows=block, usual=_medians(found.query, coarse.agreement, block))  # fmt: skip


def _alike(pictures: Pictures, aligner: CoarseAligner, rows: Array) -> float:
    """Median agreement of pairs drawn at random, laid over each other as well as can be; 0 for hardly any pictures.

    That of candidates would grow with the table, and with its copies.
    """
    if len(rows) < FEW:
        return 0.0
    query, found = np.random.default_rng(0).choice(rows, (2, DRAWN))
    query, found = query[query != found], found[query != found]
    whole = np.zeros(len(query), np.int8)
    placed = aligner.align(pictures, query, found, whole)
    return float(np.median(aligner.refine(pictures, query, found, started(whole, placed.shift))[1]))


def _medians(query: Array, value: Array, block: Array) -> Array:
    """Median of the values of each row of the block, float32 [n]; `UNTOLD` where it has one value or none."""
    start, stop = (np.searchsorted(query, block, side=side) for side in ("left", "right"))
    medians = np.full(len(block), UNTOLD, np.float32)
    has_some = stop > start + 1
    medians[has_some] = value[np.lexsort((-value, query))][((start + stop) // 2)[has_some]]
    return medians


def _highest(query: Array, value: Array, count: int) -> Array:
    """Positions of the `count` highest values of each query, in the order of the queries."""
    order = np.lexsort((-value, query))
    return order[np.arange(len(order)) - np.searchsorted(query[order], query[order]) < count]
