"""Evidence about samples without image files: features and near pairs as given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sightline.audits.evidence import Evidence
from sightline.predictions import Predictions
from sightline.samples import SampleTable
from sightline.similarity import NearPairs
from sightline.splits import Splits


def evidence_of(
    samples: SampleTable, features: np.ndarray, *, splits: Splits | None = None, pairs: Sequence[tuple[int, int]] = (),
    predictions: Predictions | None = None,
) -> Evidence:  # fmt: skip
    """What the checks of labels ask for; each of `pairs` is certain."""
    made = Evidence(samples, splits, embeddings=np.asarray(features, np.float32), predictions=predictions)
    rows: Any = np.array(list(pairs), np.int64).reshape(-1, 2)
    made.__dict__["near_pairs"] = NearPairs.of(len(samples), rows[:, 0], rows[:, 1], np.ones(len(rows), np.float32))
    return made
