"""Augmented copies on both sides of a split: files made from one another before the split was drawn."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from sightline.audits.evidence import SPLITS, Evidence
from sightline.audits.findings import RANK, Finding

Array = np.ndarray[Any, Any]

MADE = re.compile(
    r"[ _\-.]+(?:aug(?:ment(?:ed|ation)?)?|[hv]?flip(?:ped)?(?:[ _\-]?[a-z]{1,2})?|fliplr|flipud|mirror(?:ed)?|"
    r"rot(?:at(?:e|ed|ion))?(?:[ _\-]*-?\d+)?|crop(?:ped)?|zoom(?:ed)?|shift(?:ed)?|shear(?:ed)?|"
    r"translat(?:e|ed|ion)|bright(?:ness|er)?|dark(?:er)?|contrast|nois[ey]|gauss(?:ian)?|blur(?:red)?|"
    r"sharpen(?:ed)?|jitter|colou?r|gr[ae]y|hue|sat(?:uration)?|elastic|cutout|erased?|orig(?:inal)?|\(?copy\)?)"
    r"[ _\-.]*\d*$", re.IGNORECASE)  # fmt: skip
"""What programs append to the name of a file that they made from another."""

FOLDERS = frozenset({*SPLITS, "training", "validation", "valid", "testing", "dev", "images", "data"})

ALIKE = 0.7
"""Correlation of two thumbnails, turned and mirrored in the best way, from which on they are the same photograph."""

FAMILIES = 500
"""Names whose thumbnails are in memory at a time."""

LARGEST = 200
"""Members of a family beyond which its name is that of a numbering, not of one photograph."""


def augmented_copies(evidence: Evidence) -> list[Finding]:
    """Pairs across splits whose names say that one was made from the other, and whose pictures bear it out.

    Names are compared without what augmentation appends (_aug_3, _flip, _rot90) and without the folder of the split.
    A pair is an error (warning between train and val) where the thumbnails correlate at 0.7 or more under some
    rotation by quarters and mirroring, and then counts as a leak. Names alone are a warning where the sample has no
    origin of that name on its own side: numbering that begins anew in each folder looks alike.
    """
    families: dict[str, list[int]] = {}
    made = np.zeros(len(evidence.samples), bool)
    for i, key in enumerate(evidence.keys):
        family, made[i] = _family(key)
        if evidence.assigned[i] in RANK:
            families.setdefault(family, []).append(i)
    split = [rows for rows in families.values() if len(rows) <= LARGEST and made[rows].any()]
    split = [rows for rows in split if len({evidence.assigned[i] for i in rows}) > 1]
    found: list[Finding] = []
    for start in range(0, len(split), FAMILIES):
        some = split[start : start + FAMILIES]
        wanted = np.array(sorted(i for rows in some for i in rows), np.int64)
        pictures = dict(zip(wanted.tolist(), evidence.inspection.thumbnails_of(wanted), strict=True))
        found += [f for rows in some for f in _pairs(evidence, rows, made, pictures)]
    return found


def _family(key: str) -> tuple[str, bool]:
    """Name of what a file was made from, and whether anything was appended to it."""
    *folders, name = key.split("/")
    stem = name.rpartition(".")[0] if "." in name[1:] else name
    base = stem
    while (shorter := MADE.sub("", base)) != base and shorter:
        base = shorter
    return "/".join([*(f for f in folders if f.lower() not in FOLDERS), base]), base != stem


def _pairs(evidence: Evidence, rows: list[int], made: Array, pictures: dict[int, Array]) -> list[Finding]:
    """Each member with the most similar one of another split, at most one row for a pair."""
    seen: set[tuple[int, int]] = set()
    found = []
    for i in rows:
        others = [j for j in rows if evidence.assigned[j] != evidence.assigned[i] and (made[i] or made[j])]
        if not others:
            continue
        best, j = max((_alike(pictures[i], pictures[j]), -j) for j in others)
        pair = (min(i, -j), max(i, -j))
        has_origin_here = any(not made[k] and evidence.assigned[k] == evidence.assigned[i] for k in rows)
        if pair not in seen and (best >= ALIKE or (made[i] and not has_origin_here)):
            seen.add(pair)
            found.append(_finding(evidence, pair, best))
    return found


def _alike(a: Array, b: Array) -> float:
    """The highest correlation of two square thumbnails over the eight rotations by quarters and mirrorings."""
    x = a.astype(np.float32).ravel()
    x -= x.mean()
    best = 0.0
    for turned in (np.rot90(c, k) for c in (b, b[:, ::-1]) for k in range(4)):
        y = turned.astype(np.float32).ravel()
        y -= y.mean()
        size = float(np.linalg.norm(x) * np.linalg.norm(y))
        best = max(best, float(x @ y) / size if size else 0.0)
    return best


def _finding(evidence: Evidence, pair: tuple[int, int], alike: float) -> Finding:
    a, b = sorted(pair, key=lambda i: (RANK[str(evidence.assigned[i])], i))
    splits = (str(evidence.assigned[a]), str(evidence.assigned[b]))
    is_sure = alike >= ALIKE
    said = "and the pictures agree" if is_sure else "though the pictures differ"
    return Finding(
        level="error" if is_sure and "test" in splits else "warning", subject=evidence.keys[a],
        message=f"made from the same image as {evidence.keys[b]} by their names, {said}; in {splits[0]} and "
                f"{splits[1]}",
        score=1.0 if is_sure else 0.5, sample_id=evidence.ids[a], related_id=evidence.ids[b],
        splits=splits if is_sure else None,
        evidence={"related": evidence.keys[b], "correlation": round(alike, 3), "in": list(splits)},
    )  # fmt: skip
