"""Audits: what in the data would make a number lie. A check is a function of the evidence; CHECKS lists them all.

Audits may read pixels and labels of the test split, never predictions, so that an audit is no look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sightline.audits.augmented import augmented_copies
from sightline.audits.balance import class_balance
from sightline.audits.chronology import time_order
from sightline.audits.counts import class_counts
from sightline.audits.drift import factor_drift
from sightline.audits.duplicates import exact_duplicates
from sightline.audits.edits import Trial
from sightline.audits.effects import shortcut_effect
from sightline.audits.evidence import Array, Evidence
from sightline.audits.findings import LEVELS, SCHEMA, Finding, Findings
from sightline.audits.label_errors import label_errors
from sightline.audits.near_duplicates import near_duplicates
from sightline.audits.normalization import normalization_statistics
from sightline.audits.optimism import optimism
from sightline.audits.order import file_order
from sightline.audits.quality import quality
from sightline.audits.shortcuts import shortcuts
from sightline.audits.straddling import groups_across_splits
from sightline.audits.unreadable import unreadable
from sightline.errors import DataError, MissingExtraError, did_you_mean, extra_needed
from sightline.inspection import Inspection, inspect
from sightline.predictions import Predictions
from sightline.preprocessing import Preprocessing
from sightline.samples import SampleTable
from sightline.splits import Splits

__all__ = ["CHECKS", "LEVELS", "SCHEMA", "Check", "Evidence", "Finding", "Findings", "audit"]


@dataclass(frozen=True)
class Check:
    """A named question to the data."""

    name: str
    looks_for: str
    run: Callable[[Evidence], list[Finding]]
    applies: Callable[[Evidence], bool] = lambda _: True
    """Whether there is what it looks into; if not, it runs only when it is asked for by name."""
    is_long: bool = False
    """Whether it takes minutes for tens of thousands of images."""


CHECKS: tuple[Check, ...] = (
    Check("exact-duplicates", "images with equal pixels, across splits or under different labels", exact_duplicates),
    Check("near-duplicates", "one photograph twice: cropped, shifted, mirrored, recoloured, …", near_duplicates,
          is_long=True),
    Check("class-balance", "classes of very different size, and splits with other class shares", class_balance),
    Check("class-counts", "classes that are empty, absent from a split, or very small", class_counts),
    Check("unreadable", "files that cannot be decoded completely", unreadable),
    Check("quality", "images that are damaged, misnamed or unlike the others", quality),
    Check("groups-across-splits", "groups with members in two splits", groups_across_splits),
    Check("augmented-copies", "files made from one another, on both sides of a split", augmented_copies),
    Check("time-order", "training samples from after the test begins", time_order),
    Check("normalization", "mean and std taken from val or test as well", normalization_statistics,
          lambda evidence: bool(evidence.contracts)),
    Check("factor-drift", "another size, encoding, camera or scene in val or test than in train", factor_drift),
    Check("file-order", "classes that lie or were numbered one after the other", file_order),
    Check("shortcuts", "factors of acquisition or scene that give a class away", shortcuts),
    Check("label-errors", "labels that are likely wrong, ranked for review", label_errors, is_long=True),
    Check("optimism", "what random folds would have promised beyond folds of whole groups and copies", optimism,
          is_long=True),
    Check("shortcut-effect", "what a trained model makes of images with such a factor edited out", shortcut_effect,
          lambda evidence: evidence.trial is not None),
)  # fmt: skip


def audit(
    samples: SampleTable, splits: Splits | None = None, *, checks: Sequence[str] | None = None,
    without: Sequence[str] = (), inspection: Inspection | Callable[[], Inspection] | None = None,
    embeddings: Array | None = None, predictions: Predictions | None = None,
    contracts: Mapping[str, Preprocessing] | None = None, trial: Trial | None = None,
) -> Findings:  # fmt: skip
    """Findings of the checks that apply, or of the named ones, over the given splits (None: the official ones).

    Triggers the first full read of the images. `without` names checks to leave out. `inspection` is a look at these
    samples that there was already, or what gives it; `embeddings` are features of one's own, float32 [n, d] in table
    order; `predictions` those of a run for samples it was not fitted to; `contracts` are preprocessing whose
    normalization is looked into, by what to call it; `trial` is a model that answers edited images. A check whose extra
    is not installed says so in a finding, and is refused by name with MissingExtraError. Raises DataError for an
    unknown check, for none at all, or splits of other samples.
    """
    known = {check.name: check for check in CHECKS}
    for name in (*(checks or ()), *without):
        if name not in known:
            raise DataError(f"There is no check {name!r}.{did_you_mean(name, known)}")
    if set(known if checks is None else checks) <= set(without):
        raise DataError(f"No check is left to run. Name some: {', '.join(known)}.")
    if splits is not None and splits.samples_digest != samples.digest:
        raise DataError(f"The splits were made for other samples than {samples.name} holds now. Assign them again: "
                        "sightline split STUDY")  # fmt: skip
    if inspection is None and not samples.is_hashed:
        with suppress(MissingExtraError):  # one decoding for both where it can be
            inspection = inspect(samples)
            samples = inspection.samples
    evidence = Evidence(samples.hashed(), splits, inspection, embeddings, predictions, contracts or {}, trial)
    if samples.is_dropped.any():  # what a review dropped is in no split, and no longer anybody's trouble
        evidence = evidence.take(~samples.is_dropped)
    asked = [c for c in CHECKS if (c.applies(evidence) if checks is None else c.name in checks)]
    chosen = [c for c in asked if c.name not in without]
    about = {"samples": samples.digest, "splits": splits.digest if splits is not None else None}
    return Findings.of([(check.name, _run(check, evidence, is_asked=checks is not None)) for check in chosen], about)


def _run(check: Check, evidence: Evidence, *, is_asked: bool) -> list[Finding]:
    try:
        return check.run(evidence)
    except (MissingExtraError, ModuleNotFoundError) as e:
        missing = e if isinstance(e, MissingExtraError) else extra_needed(e, f"The check {check.name}")
        if missing is None or is_asked:
            raise (missing or e) from None
        return [Finding(level="info", subject=check.name, score=0.0, message=f"not looked for: {missing}")]
