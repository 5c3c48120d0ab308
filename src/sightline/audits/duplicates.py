"""Exact duplicates: images with equal pixels, across splits, within one, or under different labels."""

from __future__ import annotations

from sightline.audits.evidence import Evidence
from sightline.audits.findings import RANK, Finding


def exact_duplicates(evidence: Evidence) -> list[Finding]:
    """Copies with equal decoded pixels, whatever the file they come in.

    A cluster of k copies gives k - 1 pairs, not k (k - 1) / 2: each copy is paired with one in another split where
    there is one, else with the cluster's first, so every leak is a row and a thousand black frames are 999. Levels:
    error for different labels or where test is involved, warning between train and val, info within one split.
    """
    clusters: dict[bytes, list[int]] = {}
    for i, pixels in enumerate(evidence.samples.column("pixel_sha256")):
        if pixels is not None:
            clusters.setdefault(pixels, []).append(i)
    return [
        _finding(evidence, a, b, rows)
        for rows in clusters.values()
        if len(rows) > 1
        for a, b in _pairs(evidence, rows)
    ]


def _pairs(evidence: Evidence, rows: list[int]) -> list[tuple[int, int]]:
    """k - 1 pairs (the lower split first), such that each row that has a copy in another split is in a pair across."""

    def rank(i: int) -> int:
        return RANK.get(evidence.assigned[i], -1)

    inside = [i for i in rows if rank(i) >= 0]
    if not inside:
        return [(i, rows[0]) for i in rows[1:]]
    top = max(inside, key=lambda i: (rank(i), -i))
    bottom = min(inside, key=lambda i: (rank(i), i))
    if top == bottom or rank(top) == rank(bottom):
        return [(i, bottom) for i in rows if i != bottom]
    others = [i for i in rows if i not in {top, bottom}]
    return [(bottom, top), *((bottom, i) if rank(i) == rank(top) else (i, top) for i in others)]


def _finding(evidence: Evidence, a: int, b: int, rows: list[int]) -> Finding:
    splits = (evidence.assigned[a], evidence.assigned[b])
    names = (evidence.class_name(a), evidence.class_name(b))
    labels = {evidence.labels[i] for i in rows if evidence.labels[i] is not None}
    is_across = None not in splits and splits[0] != splits[1]
    said = ["same pixels", f"in {splits[0]} and {splits[1]}" if is_across else ""]
    if evidence.labels[a] != evidence.labels[b] and None not in names:
        said.append(f"labelled {names[0]} and {names[1]}")
    level = "error" if len(labels) > 1 or (is_across and "test" in splits) else "warning" if is_across else "info"
    return Finding(
        level=level, subject=evidence.keys[a], message=", ".join(s for s in said if s), score=1.0,
        sample_id=evidence.ids[a], related_id=evidence.ids[b], splits=splits,
        evidence={"related": evidence.keys[b], "labels": list(names), "copies": len(rows)},
    )  # fmt: skip
