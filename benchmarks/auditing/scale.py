"""What the search would cost for the 1.28 million images of ImageNet, from 200,000 made-up vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.auditing.figure import Figure, cpu_seconds, peak_bytes
from sightline.similarity.candidates import PER_VIEW, faiss, index_of
from sightline.similarity.descriptors import DIMENSIONS
from sightline.similarity.views import VIEWS

ROWS = 200_000
WHOLE = 1_281_167
QUERIES = 20_000


def figures(work: Path, is_quick: bool) -> list[Figure]:
    """Time of one look-up in an index of 200,000, times all views of 1.28 million, times what a larger index costs."""
    faiss().omp_set_num_threads(1)
    rows = ROWS // (10 if is_quick else 1)
    vectors = np.random.default_rng(0).normal(size=(rows, DIMENSIONS)).astype(np.float32)
    vectors *= 0.97 ** np.arange(DIMENSIONS, dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    before = cpu_seconds()
    index = index_of(vectors)
    built = cpu_seconds() - before
    noise = np.random.default_rng(1).normal(size=(QUERIES, DIMENSIONS)).astype(np.float32) * 0.3 / DIMENSIONS**0.5
    before = cpu_seconds()
    found = index.search(vectors[:QUERIES] + noise, PER_VIEW)[1]
    each = (cpu_seconds() - before) / QUERIES
    growth = (WHOLE / rows) ** 0.5  # cells number four times the root of the rows, so a look-up costs a root of them
    hours = (each * growth * WHOLE * len(VIEWS) + built * (WHOLE / rows) ** 1.5) / 3600
    recall = (found == np.arange(QUERIES)[:, None]).any(1).mean()
    return [
        Figure(what=f"one look-up among {rows:,} vectors of {DIMENSIONS}", got=f"{1e6 * each:.0f} µs of a processor"),
        Figure(what="the vector itself found again, with noise of .3 of its length", got=f"{recall:.4f}"),
        Figure(what=f"{WHOLE:,} images, {len(VIEWS)} views each, extrapolated from that", aim="≤ 2 core-hours",
               got=f"{hours:.2f} core-hours", holds=hours <= 2),
        Figure(what="memory at most", got=f"{peak_bytes() / 1e9:.2f} GB"),
    ]  # fmt: skip
