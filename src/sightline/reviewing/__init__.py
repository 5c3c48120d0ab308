"""Reviews: findings looked at one by one on a local page, decisions kept as they are made, and carried out later."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from sightline.audits import Findings
from sightline.reviewing.correction import Correction, corrected
from sightline.reviewing.decisions import ACTIONS, Decision, Journal, read_decisions, standing
from sightline.reviewing.server import Review
from sightline.reviewing.session import Material, Session
from sightline.samples import SampleTable
from sightline.splits import Splits

__all__ = [
    "ACTIONS", "Correction", "Decision", "Review", "corrected", "read_decisions", "review", "standing",
]  # fmt: skip


def review(
    samples: SampleTable,
    findings: Findings,
    splits: Splits | None = None,
    *,
    decisions: str | PathLike[str],
    is_test_open: bool = False,
    port: int = 0,
) -> Review:
    """The page of a review, served at its `url` on this machine until it is closed.

    `decisions` is the CSV file to which each decision is appended; a file with decisions is gone on with. Pictures of
    the test are withheld, and its samples stay as they are, unless a score has opened it (`is_test_open`). Raises
    DataError for findings or decisions on other samples, and when another review has the file open.
    """
    material = Material(samples=samples, findings=findings, splits=splits, is_test_open=is_test_open)
    journal = Journal(Path(decisions))
    try:
        return Review(Session(material, journal), journal, port)
    except BaseException:
        journal.close()
        raise
