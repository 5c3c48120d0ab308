"""Groups that straddle splits: what belongs together (a patient, a video) is on both sides of the fence."""

from __future__ import annotations

from collections import Counter

from sightline.audits.evidence import SPLITS, Evidence
from sightline.audits.findings import RANK, Finding


def groups_across_splits(evidence: Evidence) -> list[Finding]:
    """A pair for each sample of a group that has members in another split; error where test is involved.

    A sample is paired with a member of its group in another split: train's and val's with the group's first in the
    highest one, those of the highest with the group's first in the lowest, so that leaving the lower ends out parts
    the group. Splits made here never part a group; a source's own, or a person's, may.
    """
    members: dict[tuple[str, str], list[int]] = {}
    for i, groups in enumerate(evidence.samples.column("groups")):
        if evidence.assigned[i] in RANK:
            for group in groups or ():
                members.setdefault((group["kind"], group["id"]), []).append(i)
    found: dict[int, Finding] = {}
    for (kind, name), rows in sorted(members.items()):
        for a, b in _pairs(evidence, rows):
            if a not in found:  # a sample in two straddling groups is one finding
                found[a] = _finding(evidence, (a, b), f"{kind} {name}", rows)
    return [found[i] for i in sorted(found)]


def _pairs(evidence: Evidence, rows: list[int]) -> list[tuple[int, int]]:
    """(sample, the member of another split that it is shown beside), for each member of a group in two splits."""
    ranks = {i: RANK[str(evidence.assigned[i])] for i in rows}
    low, high = min(rows, key=lambda i: (ranks[i], i)), min(rows, key=lambda i: (-ranks[i], i))
    if ranks[low] == ranks[high]:
        return []
    return [(i, low if ranks[i] == ranks[high] else high) for i in rows if i != high]  # low is shown beside high


def _finding(evidence: Evidence, pair: tuple[int, int], name: str, rows: list[int]) -> Finding:
    a, b = sorted(pair, key=lambda i: RANK[str(evidence.assigned[i])])
    splits = (str(evidence.assigned[a]), str(evidence.assigned[b]))
    counts = Counter(evidence.assigned[i] for i in rows)
    said = " and ".join(f"{counts[s]} in {s}" for s in SPLITS if counts[s])
    return Finding(
        level="error" if "test" in splits else "warning", subject=name, message=f"has {said}", score=1.0,
        sample_id=evidence.ids[a], related_id=evidence.ids[b], splits=splits,
        evidence={"group": name, "key": evidence.keys[a], "related": evidence.keys[b], "members": len(rows)},
    )  # fmt: skip
