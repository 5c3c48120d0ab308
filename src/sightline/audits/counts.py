"""Samples per class: classes that are empty, absent from a split, or too small to learn from."""

from __future__ import annotations

from sightline.audits.evidence import Evidence
from sightline.audits.findings import Finding

FEW = 10
"""Below this many training samples a class is told."""


def class_counts(evidence: Evidence) -> list[Finding]:
    """One finding for each class with something missing, the gravest of what holds for it."""
    counts = evidence.counts
    found = []
    for c in range(len(evidence.samples.classes)):
        of = {split: int(n[c]) for split, n in counts.items()}
        verdict = _verdict(of)
        if verdict is not None:
            level, message, score = verdict
            title = evidence.samples.classes.title(c)
            found.append(Finding(level=level, subject=title, message=message, score=score, evidence=of))
    return found


def _verdict(of: dict[str, int]) -> tuple[str, str, float] | None:
    learnt = of.get("train", of.get("all", 0))
    held_out = {s: n for s, n in of.items() if s in {"val", "test"}}
    absent = [s for s, n in held_out.items() if n == 0]
    if sum(of.values()) == 0:
        return "warning", "no labelled sample at all: it can only be answered wrongly", 1.0
    if "train" in of and learnt == 0:
        return "error", f"none in train, {' and '.join(f'{n:,} in {s}' for s, n in held_out.items() if n)}", 1.0
    if absent:
        return "warning", f"none in {' and '.join(absent)}: nothing is measured for it there", 0.8
    if ("train" in of or "all" in of) and learnt < FEW:
        return "warning", f"{learnt} sample{'s' if learnt > 1 else ''} to learn from", 1 - learnt / FEW
    return None
