"""Time order: whether what is tested on came after what was learnt from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.audits.evidence import Evidence
from sightline.audits.findings import Finding

Array = np.ndarray[Any, Any]

MEANT = 0.9
"""Share of pairs in the right order from which on the splits look as if they were meant to follow time."""

SHOWN = 20
"""Samples out of order that are named; the finding on the splits counts them all."""


def time_order(evidence: Evidence) -> list[Finding]:
    """For each two splits with times, one finding where the earlier one ends after the later one begins.

    An error where the splits were made by time, or nine of ten pairs are in the right order, so that they look as if
    they were; the samples out of order are then named too. Else a note: splits at random over time measure how well
    gaps are filled, not how well the future is met.
    """
    column = evidence.samples.table["time"]
    if column.null_count == len(column):
        return []
    times = pc.cast(pc.cast(column, pa.timestamp("us")), pa.int64()).to_numpy()
    is_known = np.isfinite(times.astype(np.float64)) if times.dtype.kind == "f" else np.ones(len(times), bool)
    by_time = evidence.splits is not None and evidence.splits.how.get("by") == "time"
    found: list[Finding] = []
    for earlier, later in (("train", "val"), ("train", "test"), ("val", "test")):
        a = np.flatnonzero((evidence.assigned == earlier) & is_known)
        b = np.flatnonzero((evidence.assigned == later) & is_known)
        if len(a) and len(b) and times[a].max() >= times[b].min():
            found += _broken(evidence, times, (a, b), (earlier, later), by_time)
    return found


def _broken(
    evidence: Evidence, times: Array, rows: tuple[Array, Array], names: tuple[str, str], by_time: bool
) -> list[Finding]:
    (a, b), (earlier, later) = rows, names
    before = np.searchsorted(np.sort(times[b]), times[a], side="right")
    right = 1 - float(before.sum()) / (len(a) * len(b))
    late = a[times[a] >= times[b].min()]
    is_error = by_time or right >= MEANT
    evidence_of = {"splits_compared": list(names), "in_order": round(right, 4), "out_of_order": len(late)}
    if not is_error:
        return [Finding(
            level="info", subject="time", score=1 - right, evidence=evidence_of,
            message=f"{earlier} and {later} overlap in time ({100 * right:.0f} % of their pairs are in order): the "
                    f"number on {later} says how well gaps are filled, not how well what comes next is met. "
                    "For that: sightline split STUDY --by time",
        )]  # fmt: skip
    first = _day(times[b].min())
    head = Finding(
        level="error", subject="time", score=1.0, evidence=evidence_of,
        message=f"{len(late):,} of {len(a):,} samples of {earlier} are not from before {later} begins ({first})",
    )  # fmt: skip
    latest = late[np.argsort(-times[late], kind="stable")][:SHOWN]
    return [head, *(
        Finding(level="error", subject=evidence.keys[i], score=1.0, sample_id=evidence.ids[i],
                message=f"in {earlier}, from {_day(times[i])}; {later} begins {first}",
                evidence={"split": earlier})
        for i in latest.tolist()
    )]  # fmt: skip


def _day(moment: float) -> str:
    return str(np.datetime64(int(moment), "us").astype("datetime64[m]")).replace("T", " ")
