"""Scoring: from the agreements of a pair to how certainly both show the same photograph.

What tells a copy from a lookalike is how much better it agrees than the usual candidate of the same picture does: two
aeroplanes in a clear sky agree well with each other and with a hundred others. So the score is a logistic function of
agreements (inverse hyperbolic tangents of correlations) less the median that the picture reaches with its candidates.

The weights of small pictures were fitted to the judged pairs of CIFAR-10's test and train (even test ids), those of
photographs to 500 ImageNet originals and edits of them; `docs/near-duplicates.md` says what they reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from sightline.similarity.alignment import AGREEMENTS
from sightline.similarity.pictures import SMALL

Array = np.ndarray[Any, Any]

EVIDENCE = ("likeness", "coarse", *AGREEMENTS)
"""Columns of what speaks for a pair: cosine of the descriptors, agreement at the coarse side, and the fine ones."""

SMALL_PICTURES: Mapping[str, float] = MappingProxyType(
    {"likeness": 4.742, "coarse": 3.350, "structure": 3.574, "worst": 0.799, "colours": 2.220, "magnified": -8.231,
     "uneven": -11.351, "usual": -8.210, "constant": -9.66}
)  # fmt: skip
"""Weights for thumbnails of 32 pixels; the score is .5 where the precision on CIFAR-10 is about .945.

How much the pictures are magnified and squeezed to agree tells more than any finer correlation: without these two the
recall of the pool at that precision is .72, with them .79.
"""

PHOTOGRAPHS: Mapping[str, float] = MappingProxyType(
    {"structure": 7.19, "worst": 1.64, "uneven": -6.92, "usual": -13.27, "constant": -3.11}
)
"""Weights for larger thumbnails; the best of 250,000 pairs of different originals stays 3 below the score of .5."""

PLAIN = frozenset({"colours", "magnified", "uneven"})
"""Evidence that is taken as it is; all other goes through Fisher's transform."""

ALIKE = 0.62
"""Median agreement of a table's pictures with their candidates from which its pictures count as all alike.

CIFAR-10 has .5, ImageNet .4, MNIST .8: any 1 can be laid over a hundred others.
"""

ALIKE_WEIGHT = 50.0
"""By how much that counts against every pair: without it pairs of MNIST's ones are as certain as copies elsewhere."""

HIGHEST = 0.995
"""Correlations above this one are no more certain: JPEG alone takes away as much."""


def scores(evidence: Array, usual: Array, common: float, side: int) -> Array:
    """Score float32 [n] in 0 … 1 of pairs with evidence [n, len(EVIDENCE)]; .5 and above counts as certain.

    `usual` [n, 2] are the median agreements of both pictures with their candidates, `common` the table's median.
    """
    weights = SMALL_PICTURES if side == SMALL else PHOTOGRAPHS
    total = np.full(len(evidence), weights["constant"])
    for name, weight in weights.items():
        if name == "usual":
            total += weight * _drawn_out(usual).mean(1)
        elif name != "constant":
            column = evidence[:, EVIDENCE.index(name)]
            total += weight * (column if name in PLAIN else _drawn_out(column))
    total -= ALIKE_WEIGHT * max(0.0, float(np.arctanh(min(common, HIGHEST)) - np.arctanh(ALIKE)))
    total[evidence[:, EVIDENCE.index("structure")] <= -1] = -np.inf  # could not be laid over each other
    return np.asarray(1 / (1 + np.exp(-np.clip(total, -50, 50))), np.float32).round(4)


def _drawn_out(correlation: Array) -> Array:
    """Fisher's transform, float64: near 1 small differences say more."""
    return np.asarray(np.arctanh(np.clip(correlation.astype(np.float64), -HIGHEST, HIGHEST)))
