"""Candidates: for every picture the ones whose whole looks like a view of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.errors import extra_needed
from sightline.parallel import in_order
from sightline.similarity.descriptors import DIMENSIONS, Descriptors, described
from sightline.similarity.pictures import BLOCK, Pictures
from sightline.similarity.views import VIEWS

Array = np.ndarray[Any, Any]

EXHAUSTIVE = 20_000
"""Up to so many pictures every one is compared; beyond, the vectors lie in cells of which the nearest are searched."""

PROBES = 24
"""Cells searched for one view. Among 60,000 pictures: 97 to 98 % of the judged copies that looking at all finds."""

LARGE = 100_000
"""From so many pictures on the vectors are kept in 8 bits a number, and `FEW_PROBES` cells are searched: a copy of a
whole picture is found as before, one of a part with a view less close may be missed."""

FEW_PROBES = 8

PER_VIEW = 8
"""Neighbours taken of each view."""

PER_PICTURE = 40
"""Candidates kept of each picture, the most alike first."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Candidates:
    """Row `found` as a whole looks like view `view` of row `query`; each ordered pair once, in order of the query."""

    query: Array
    """int64 [n]"""
    found: Array
    """int64 [n], never the same row."""
    view: Array
    """Number in VIEWS, int8 [n]."""
    likeness: Array
    """Cosine of the two descriptors, float32 [n]."""


@dataclass(frozen=True, eq=False)
class Finder:
    """An index of the whole pictures, to be asked for views."""

    pictures: Pictures
    rows: Array
    """Pictures that are compared, int64, ascending."""
    descriptors: Descriptors
    index: Any

    @classmethod
    def over(cls, pictures: Pictures) -> Finder:
        """A finder over all pictures that show anything. Needs faiss."""
        rows = pictures.compared
        descriptors = Descriptors.fitted(pictures)
        blocks = [rows[i : i + BLOCK] for i in range(0, len(rows), BLOCK)]
        vectors = np.empty((len(rows), DIMENSIONS), np.float32)
        start = 0
        for part in in_order(lambda block: descriptors.of(described(pictures, block), 0), blocks):
            vectors[start : start + len(part)] = part
            start += len(part)
        return cls(pictures, rows, descriptors, index_of(vectors))

    def find(self, block: Array) -> Candidates:
        """Candidates of the given rows, which ascend."""
        evened = described(self.pictures, block)
        likeness = np.empty((len(block), len(VIEWS), PER_VIEW), np.float32)
        found = np.empty(likeness.shape, np.int64)
        for view in range(len(VIEWS)):
            likeness[:, view], found[:, view] = self.index.search(self.descriptors.of(evened, view), PER_VIEW)
        return _best(block, self.rows, found, likeness)


def faiss() -> Any:
    """The module faiss. Raises MissingExtraError when it is not installed."""
    try:
        import faiss
    except ModuleNotFoundError as e:
        raise extra_needed(e, "Looking for near duplicates") or e from None
    return faiss


def index_of(vectors: Array) -> Any:
    """Index for the largest inner products with `vectors`, float32 [n, d] of unit length."""
    library = faiss()
    size, dimensions = vectors.shape
    if size <= EXHAUSTIVE:
        index = library.IndexFlatIP(dimensions)
    else:
        cells = 1 << round(float(np.log2(2 * np.sqrt(size))))
        quantizer = library.IndexFlatIP(dimensions)
        product = library.METRIC_INNER_PRODUCT
        if size < LARGE:
            index = library.IndexIVFFlat(quantizer, dimensions, cells, product)
        else:
            bits = library.ScalarQuantizer.QT_8bit
            index = library.IndexIVFScalarQuantizer(quantizer, dimensions, cells, bits, product, False)
        index.cp.seed, index.cp.niter = 0, 10
        index.nprobe = PROBES if size < LARGE else FEW_PROBES
        index.train(vectors[:: max(1, size // (40 * cells))])
    index.add(vectors)
    return index


def _best(block: Array, rows: Array, found: Array, likeness: Array) -> Candidates:
    """Of each query and row the view that is most alike, and of each query the best rows."""
    count, views, each = found.shape
    query = np.repeat(np.arange(count), views * each)
    view = np.tile(np.repeat(np.arange(views, dtype=np.int8), each), count)
    flat, alike = found.ravel(), likeness.ravel()
    keep = (flat >= 0) & (rows[flat] != block[query])
    query, view, flat, alike = query[keep], view[keep], flat[keep], alike[keep]
    order = np.lexsort((view, -alike, flat, query))
    is_first = np.ones(len(order), bool)
    is_first[1:] = (query[order][1:] != query[order][:-1]) | (flat[order][1:] != flat[order][:-1])
    order = order[is_first]
    order = order[np.lexsort((flat[order], -alike[order], query[order]))]
    of = query[order]
    order = order[np.arange(len(of)) - np.searchsorted(of, of) < PER_PICTURE]
    return Candidates(query=block[query[order]], found=rows[flat[order]], view=view[order], likeness=alike[order])
