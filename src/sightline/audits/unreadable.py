"""Files that cannot be read, and why."""

from __future__ import annotations

import numpy as np

from sightline.audits.evidence import Evidence
from sightline.audits.findings import Finding

CONSEQUENCE = {"train": "training skips it", "val": "it counts as wrong", "test": "it counts as wrong"}


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
                message=f"{reasons[i] or 'cannot be read'}{then}", evidence={"split": split},
            )
        )  # fmt: skip
    return found
