"""Drift: factors that are distributed otherwise in val or test than in train."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sightline.audits.evidence import Evidence
from sightline.audits.factors import ACQUISITION, Factor, factors
from sightline.audits.findings import Finding
from sightline.audits.regions import Column

Array = np.ndarray[Any, Any]

DRIFTED = 0.1
"""Distance between the distributions from which on it is told: of 0 (equal) to 1 (no value in common)."""

SURE = 3.0
"""How many times the distance that two samples of these sizes differ by on average."""

FEW = 20
"""Samples of a split below which nothing is said."""


def factor_drift(evidence: Evidence) -> list[Finding]:
    """One finding for each factor and held-out split that differs from train: the column that differs most.

    The distance is Kolmogorov and Smirnov's for a measure (largest difference of the distribution functions), total
    variation for kinds (share of samples that would have to change kind). A warning for facts of acquisition: the
    test may have another source than train; a note for the scene.
    """
    masks = {s: np.flatnonzero((evidence.assigned == s) & evidence.samples.is_ok) for s in ("train", "val", "test")}
    others = [s for s in ("val", "test") if len(masks[s]) >= FEW]
    if len(masks["train"]) < FEW or not others:
        return []
    by_time = evidence.splits is not None and evidence.splits.how.get("by") == "time"
    found = []
    for factor in factors(evidence):
        for split in others:
            # Splits by time have other days, which is what they are for; not other hours.
            columns = [c for c in factor.columns if not (by_time and c.name.startswith("day "))]
            finding = _compared(factor, columns, (masks["train"], masks[split]), split)
            if finding is not None:
                found.append(finding)
    return found


def _compared(factor: Factor, columns: Sequence[Column], rows: tuple[Array, Array], split: str) -> Finding | None:
    train, other = rows
    measured = [(*_distance(c, train, other), c) for c in columns]
    told = [(d, chance, c) for d, chance, c in measured if d >= DRIFTED and d >= SURE * chance]
    if not told:
        return None
    distance, chance, column = max(told, key=lambda t: t[0])
    return Finding(
        level="warning" if factor.tier == ACQUISITION else "info", subject=factor.name, score=min(1.0, distance),
        message=f"{column.name} is distributed otherwise in {split} than in train: {_said(column, train, other)} "
                f"(distance {distance:.2f}, {chance:.2f} by chance). A number on {split} speaks for images like these.",
        evidence={"factor": factor.name, "tier": factor.tier, "column": column.name, "split": split,
                  "distance": round(distance, 4), "by_chance": round(chance, 4)},
    )  # fmt: skip


def _distance(column: Column, train: Array, other: Array) -> tuple[float, float]:
    """Distance of the distributions, and what it is on average between two samples of one distribution."""
    a, b = column.values[train], column.values[other]
    n, m = len(a), len(b)
    if column.kinds:
        size = len(column.kinds)
        p = np.bincount(a.astype(np.int64), minlength=size)
        q = np.bincount(b.astype(np.int64), minlength=size)
        pooled = (p + q) / (n + m)
        chance = float(np.sqrt(2 * pooled * (1 - pooled) / math.pi * (1 / n + 1 / m)).sum() / 2)
        return float(np.abs(p / n - q / m).sum() / 2), chance
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if len(a) < FEW or len(b) < FEW:
        return 0.0, 1.0
    points = np.concatenate([a, b])
    below = [np.searchsorted(np.sort(x), points, side="right") / len(x) for x in (a, b)]
    # Mean of the Kolmogorov distribution: sqrt(pi / 2) log 2.
    chance = math.sqrt(math.pi / 2) * math.log(2) * math.sqrt(1 / len(a) + 1 / len(b))
    return float(np.abs(below[0] - below[1]).max()), chance


def _said(column: Column, train: Array, other: Array) -> str:
    a, b = column.values[train], column.values[other]
    if column.kinds:
        size = len(column.kinds)
        p, q = (np.bincount(x.astype(np.int64), minlength=size) / len(x) for x in (a, b))
        i = int(np.argmax(np.abs(p - q)))
        return f"{100 * q[i]:.0f} % are {column.kinds[i]}, of train {100 * p[i]:.0f} %"
    return f"median {np.nanmedian(b):.3g}, of train {np.nanmedian(a):.3g}"
