"""The handwritten digits that the scikit-learn package carries: one CSV row for each 8 × 8 image."""

from __future__ import annotations

import gzip
import importlib.util

import numpy as np

from sightline.errors import MissingExtraError
from sightline.formats.listing import Listing
from sightline.images import resolve_root

ROOT = "package:sklearn"
PATH = "datasets/data/digits.csv.gz"
ROW_BYTES = 65
"""64 values from 0 to 16, then the digit; one byte each once parsed."""


def read() -> Listing:
    """The 1,797 digits in the package's order; no official split. Raises MissingExtraError without scikit-learn."""
    # find_spec looks and does not import: scikit-learn takes a second to start.
    if importlib.util.find_spec("sklearn") is None:
        raise MissingExtraError("scikit-learn", "digits", "The embedded dataset 'digits'")
    with gzip.open(resolve_root(ROOT) / PATH, "rt") as f:
        labels = np.loadtxt(f, delimiter=",", dtype=np.uint8, usecols=ROW_BYTES - 1)
    n = len(labels)
    return Listing(
        layout="scikit-learn's digits", name="digits", roots={"source": ROOT}, keys=[f"{i:05d}" for i in range(n)],
        splits=[None] * n, labels=[str(v) for v in labels.tolist()],
        images={
            "root": "source", "path": PATH, "container": "csv", "offset": [i * ROW_BYTES for i in range(n)],
            "length": ROW_BYTES - 1, "row": list(range(n)), "codec": "raw", "layout": "u1/16:8,8", "width": 8,
            "height": 8, "mode": "L", "bits": 8,
        },
    )  # fmt: skip
