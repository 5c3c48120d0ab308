"""Quality: images that are damaged, misnamed or unlike what the table usually holds, each told for what it is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sightline.audits.appearance import Appearance
from sightline.audits.evidence import Array, Evidence
from sightline.audits.findings import Finding
from sightline.audits.oddities import KINDS, Kind

USUAL = 0.2
"""Share of the images from which on a kind is how the table is, and one finding about it all."""

FEW = 20
"""So many images are told one by one, whatever their share."""

SHOWN = 12
"""Examples of a kind that is told at once."""


def quality(evidence: Evidence) -> list[Finding]:
    """A finding for each image and each way in which it is unusual; one for a way in which much of the table is."""
    seen = Appearance(evidence)
    masks: dict[str, Array] = {}
    found: list[Finding] = []
    for kind in KINDS:
        mask = np.asarray(kind.is_in(seen), bool) & (seen.is_seen | (kind.name == "lost"))
        for better in kind.unless:
            mask = mask & ~masks[better]
        masks[kind.name] = mask
        rows = np.flatnonzero(mask)
        if len(rows) > FEW and len(rows) > USUAL * len(mask):
            found.append(_usual(evidence, kind, seen, rows))
        else:
            found += _singly(evidence, kind, seen, rows)
    return found


def _singly(evidence: Evidence, kind: Kind, seen: Appearance, rows: Array) -> Iterator[Finding]:
    for i in rows.tolist():
        yield Finding(
            level=kind.level, subject=evidence.keys[i], score=kind.score, sample_id=evidence.ids[i],
            message=kind.says(seen, i), evidence={"kind": kind.name, "split": evidence.assigned[i]},
        )  # fmt: skip


def _usual(evidence: Evidence, kind: Kind, seen: Appearance, rows: Array) -> Finding:
    share = len(rows) / len(seen.is_seen)
    some = rows[np.linspace(0, len(rows) - 1, SHOWN).astype(int)].tolist()
    return Finding(
        level=kind.usual, subject=kind.name, score=kind.score if kind.usual == kind.level else 0.1,
        message=f"{len(rows):,} of {len(seen.is_seen):,} images ({100 * share:.0f} %): {kind.name}. The first: "
                f"{evidence.keys[int(rows[0])]}: {kind.says(seen, int(rows[0]))}",
        evidence={"kind": kind.name, "count": len(rows), "share": share,
                  "galleries": [{"title": kind.name, "ids": [evidence.ids[i].hex() for i in some]}]},
    )  # fmt: skip
