"""Files that cannot be read: what each of them is, and why."""

from __future__ import annotations

import numpy as np

from sightline.audits.evidence import Evidence
from sightline.audits.findings import Finding

CONSEQUENCE = {"train": "training skips it", "val": "it counts as wrong", "test": "it counts as wrong"}

KINDS = (
    ("missing", ("file is missing", "not in the shards")),
    ("empty", ("empty file",)),
    ("html", ("a page of HTML",)),
    ("text", ("not an image but text",)),
    ("not-an-image", ("not an image",)),
    ("too-large", ("SIGHTLINE_MAX_PIXELS",)),
    ("unsupported", ("not supported",)),
    ("truncated", ("truncated", "Truncated", "Premature end", "unexpected end", "ends before", "end behind",
                   "header cut", "wanted ")),
)  # fmt: skip
"""Kind of an unreadable file, and the words by which its reason is known, tried in this order; else `damaged`."""


def unreadable(evidence: Evidence) -> list[Finding]:
    """One warning for each sample whose image cannot be decoded completely."""
    reasons = evidence.samples.column("reason")
    found = []
    for i in np.flatnonzero(~evidence.samples.is_ok).tolist():
        split = evidence.assigned[i]
        then = f"; {CONSEQUENCE[split]}" if split in CONSEQUENCE else ""
        found.append(
            Finding(
                level="warning", subject=evidence.keys[i], score=1.0, sample_id=evidence.ids[i],
                message=f"{reasons[i] or 'cannot be read'}{then}",
                evidence={"split": split, "kind": kind_of(reasons[i] or "")},
            )
        )  # fmt: skip
    return found


def kind_of(reason: str) -> str:
    """missing | empty | html | text | not-an-image | too-large | unsupported | truncated | damaged."""
    return next((kind for kind, words in KINDS if any(word in reason for word in words)), "damaged")
