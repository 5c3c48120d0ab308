"""Audits: what in the data would make a number lie. A check is a function of the evidence; CHECKS lists them all.

Audits may read pixels and labels of the test split, never predictions, so that an audit is no look.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sightline.audits.balance import class_balance
from sightline.audits.counts import class_counts
from sightline.audits.duplicates import exact_duplicates
from sightline.audits.evidence import Evidence
from sightline.audits.findings import LEVELS, SCHEMA, Finding, Findings
from sightline.audits.unreadable import unreadable
from sightline.errors import DataError, did_you_mean
from sightline.samples import SampleTable
from sightline.splits import Splits

__all__ = ["CHECKS", "LEVELS", "SCHEMA", "Check", "Evidence", "Finding", "Findings", "audit"]


@dataclass(frozen=True)
class Check:
    """A named question to the data."""

    name: str
    looks_for: str
    run: Callable[[Evidence], list[Finding]]


CHECKS: tuple[Check, ...] = (
    Check("exact-duplicates", "images with equal pixels, across splits or under different labels", exact_duplicates),
    Check("class-balance", "classes of very different size, and splits with other class shares", class_balance),
    Check("class-counts", "classes that are empty, absent from a split, or very small", class_counts),
    Check("unreadable", "files that cannot be decoded completely", unreadable),
)


def audit(samples: SampleTable, splits: Splits | None = None, *, checks: Sequence[str] | None = None) -> Findings:
    """Findings of all checks, or of the named ones, over the given splits (None: the source's official ones).

    Triggers the first full read of the images. Raises DataError for an unknown check, or splits of other samples.
    """
    known = {check.name: check for check in CHECKS}
    for name in checks if checks is not None else ():
        if name not in known:
            raise DataError(f"There is no check {name!r}.{did_you_mean(name, known)}")
    if splits is not None and splits.samples_digest != samples.digest:
        raise DataError(f"The splits were made for other samples than {samples.name} holds now. Assign them again: "
                        "sightline split STUDY")  # fmt: skip
    evidence = Evidence(samples.hashed(), splits)
    chosen = [check for check in CHECKS if checks is None or check.name in checks]
    about = {"samples": samples.digest, "splits": splits.digest if splits is not None else None}
    return Findings.of([(check.name, check.run(evidence)) for check in chosen], about)
