"""Scoring: from the agreements of a pair to how certainly both show the same photograph.

What tells a copy from a lookalike is how much better it agrees than the usual candidate of the same picture does: two
aeroplanes in a clear sky agree well with each other and with a hundred others. So the score is a logistic function of
agreements (inverse hyperbolic tangents of correlations) less the median that the picture reaches with its candidates
when they are only moved. That one is not of refined maps: these make lookalikes agree, more so the more there is to
turn and squeeze.

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

EVIDENCE = (*AGREEMENTS, "rigid")
"""Columns of what speaks for a pair: agreements under an affine map, and that of the middle without one."""

SMALL_PICTURES: Mapping[str, float] = MappingProxyType(
    {"structure": 3.44, "tones": 2.22, "colours": 3.20, "structure × magnified": -7.05, "structure × uneven": -4.50,
     "rigid": 9.74, "usual": -13.55, "alike": -21, "constant": -9.9}
)  # fmt: skip
"""Weights for thumbnails of 32 pixels; the score is .5 where the precision on CIFAR-10 is .95.

`rigid` tells most: without it the recall of the pool at that precision is .83, with it .89. How much a picture is
magnified and squeezed until it agrees takes from what its agreement says: with enough freedom two lookalikes agree too.
"""

PHOTOGRAPHS: Mapping[str, float] = MappingProxyType(
    {"structure": 3.07, "typical": 3.09, "tones": 2.79, "colours": 5.27, "structure × magnified": -4.67,
     "structure × uneven": -10.27, "rigid": 2.82, "usual": -22.48, "alike": -13, "constant": -2.27}
)  # fmt: skip
"""Weights for larger thumbnails. Of pairs of different originals among 500 and 16 edits of each the best stays 2 below
the score of .5. `typical` is for captions and bars: it stays high where a quarter of a picture differs.
"""

PLAIN = frozenset({"colours", "magnified", "uneven"})
"""Evidence that is taken as it is; all other goes through Fisher's transform."""

ALIKE = (0.28, 0.42)
"""Agreement of any two pictures of a table, the median: from the first the pictures begin to be, from the second they
are all alike.

CIFAR-10 has .24, ImageNet .22, digits of 8 by 8 pixels .44, MNIST .46: any 1 can be laid over a hundred others. By the
weight of `alike`, which is 1 there, no pair of 1,797 such digits is possible; without it 3,237 are certain, and of the
same at 64 pixels 1,861. Copies of MNIST's digits by JPEG 90 are still found.
"""

LEAST = 0.6
"""Correlation of the structure below which no pair is possible: of 566 judged copies that were found 4 have less."""

HIGHEST = 0.995
"""Correlations above this one are no more certain: JPEG alone takes away as much."""


def scores(evidence: Array, usual: Array, alike: float, side: int) -> Array:
    """Score float32 [n] in 0 … 1 of pairs with evidence [n, len(EVIDENCE)]; .5 and above counts as certain.

    `usual` [n, 2] are the median agreements of both pictures with candidates that were only moved, `alike` is the
    agreement of any two pictures of the table.
    """
    weights = SMALL_PICTURES if side == SMALL else PHOTOGRAPHS
    values = {name: column if name in PLAIN else _drawn_out(column)
              for name, column in zip(EVIDENCE, evidence.astype(np.float64).T, strict=True)}  # fmt: skip
    values |= {"usual": _drawn_out(usual).mean(1), "constant": np.ones(len(evidence)),
               "alike": np.interp(np.full(len(evidence), alike), ALIKE, (0, 1))}  # fmt: skip
    total = np.zeros(len(evidence))
    for term, weight in weights.items():
        total += weight * np.prod([values[name] for name in term.split(" × ")], axis=0)
    total[evidence[:, EVIDENCE.index("structure")] < LEAST] = -np.inf
    return np.asarray(1 / (1 + np.exp(-np.clip(total, -50, 50))), np.float32).round(4)


def _drawn_out(correlation: Array) -> Array:
    """Fisher's transform, float64: near 1 small differences say more."""
    return np.asarray(np.arctanh(np.clip(correlation.astype(np.float64), -HIGHEST, HIGHEST)))
