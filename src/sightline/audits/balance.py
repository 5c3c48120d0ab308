"""Class balance: how far the classes of train differ in size, and how far the splits differ in their classes."""

from __future__ import annotations

import math

import numpy as np

from sightline.audits.evidence import Array, Evidence
from sightline.audits.findings import Finding
from sightline.splits import shows_several

UNEVEN = 3.0
"""Largest class over smallest, worth a note from here on."""

IMBALANCED = 10.0
"""From here on accuracy can be high without the small classes."""

SHIFTED = 0.1
"""Share of samples that would have to change class for two splits to agree; below it no shift is told."""


def class_balance(evidence: Evidence) -> list[Finding]:
    """At most one finding on the sizes of the classes, and one for each held-out split with other class shares."""
    counts = evidence.counts
    name = "train" if "train" in counts else "all"
    if name not in counts:
        return []
    return [*_uneven(evidence, name, counts[name]), *_shifts(counts)]


def _uneven(evidence: Evidence, split: str, counts: Array) -> list[Finding]:
    present = np.flatnonzero(counts)
    if len(present) < 2:
        return []
    large, small = int(present[np.argmax(counts[present])]), int(present[np.argmin(counts[present])])
    ratio = float(counts[large] / counts[small])
    if ratio < UNEVEN:
        return []
    title = evidence.samples.classes.title
    share = float(counts[large] / counts.sum())
    advice = f" Always answering {title(large)} is right in {100 * share:.1f} % of cases; look at accuracy by class."
    if shows_several(evidence.samples):
        advice = " Look at each class by itself."
    return [
        Finding(
            level="warning" if ratio >= IMBALANCED else "info", subject="label", score=1 - 1 / ratio,
            message=f"{title(large)} has {int(counts[large]):,} samples in {split}, {title(small)} has "
                    f"{int(counts[small]):,}: {ratio:.1f} to 1.{advice if ratio >= IMBALANCED else ''}",
            evidence={"split": split, "ratio": ratio, "largest": title(large), "smallest": title(small),
                      "majority_share": share},
        )
    ]  # fmt: skip


def _shifts(counts: dict[str, Array]) -> list[Finding]:
    found = []
    for name in ("val", "test"):
        if "train" not in counts or name not in counts or not counts["train"].sum() or not counts[name].sum():
            continue
        n, m = int(counts["train"].sum()), int(counts[name].sum())
        p, q = counts["train"] / n, counts[name] / m
        distance = float(np.abs(p - q).sum() / 2)
        # What two samples of these sizes from one distribution differ by on average (normal approximation).
        pooled = (counts["train"] + counts[name]) / (n + m)
        chance = float(np.sqrt(2 * pooled * (1 - pooled) / math.pi * (1 / n + 1 / m)).sum() / 2)
        if distance >= SHIFTED and distance >= 3 * chance:
            found.append(
                Finding(
                    level="warning", subject="label", score=min(1.0, distance),
                    message=f"Classes have other shares in {name} than in train: {100 * distance:.0f} % of its samples "
                            f"would have to change class to agree ({100 * chance:.1f} % by chance).",
                    evidence={"split": name, "total_variation": distance, "by_chance": chance},
                )
            )  # fmt: skip
    return found
