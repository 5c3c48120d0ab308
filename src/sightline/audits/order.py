"""File order: classes that lie or were numbered one after the other."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any

import numpy as np

from sightline.audits.evidence import Evidence
from sightline.audits.findings import Finding

Array = np.ndarray[Any, Any]

SORTED = 0.2
"""Agreement of neighbours' labels beyond chance, as a part of what is possible, from which on it is told."""

SURE = 6.0
"""Standard errors that it must lie beyond chance."""

IN_FOLDERS = 0.9
"""Share of samples that have the commonest class of their folder, from which on folders are the order."""

_NUMBER = re.compile(r"(\d+)\D*$")


def file_order(evidence: Evidence) -> list[Finding]:
    """At most one finding: neighbours in the source, or in the numbers of the file names, have the same label.

    A warning for numbers in names: images that were numbered class by class were taken or saved in sessions, with the
    light, the place and the device of each. A note for the order in the source, which matters to loaders that do not
    shuffle alone. Sources whose classes are folders have no order to speak of, since their numbers begin anew in each.
    """
    labels = np.array([-1 if v is None else v for v in evidence.labels], np.int64)
    rows = np.flatnonzero(labels >= 0)
    if len(rows) < 2 or _is_in_folders(evidence, rows):
        return []
    numbers = np.array([_number(evidence.keys[i]) for i in rows.tolist()])
    is_numbered = np.isfinite(numbers).all() and len(np.unique(numbers)) > 0.9 * len(numbers)
    if is_numbered and _are_files(evidence):
        finding = _told(labels[rows[np.argsort(numbers, kind="stable")]], "warning")
        if finding is not None:
            return [finding]
    splits = np.array([s or "" for s in evidence.samples.column("split")])[rows]
    finding = _told(labels[rows[np.argsort(splits, kind="stable")]], "info")
    return [finding] if finding is not None else []


def _is_in_folders(evidence: Evidence, rows: Array) -> bool:
    """Whether nearly all samples of a folder have one class, whatever the folder is called."""
    counts: dict[str, Counter[int | None]] = {}
    for i in rows.tolist():
        counts.setdefault(evidence.keys[i].rpartition("/")[0], Counter())[evidence.labels[i]] += 1
    agreeing = sum(max(of.values()) for of in counts.values())
    return 1 < len(counts) < len(rows) / 2 and agreeing >= IN_FOLDERS * len(rows)


def _are_files(evidence: Evidence) -> bool:
    """Whether the samples are files of their own, so that somebody numbered them; an array's rows are named here."""
    containers = evidence.samples.table["image"].combine_chunks().field("container").cast("string")
    return bool((np.array(containers.to_pylist(), object) == "file").all())


def _number(key: str) -> float:
    """The last number in the name of a file, NaN where there is none."""
    found = _NUMBER.search(key.rpartition("/")[2].partition(".")[0])
    return float(found[1][-15:]) if found else math.nan


def _told(labels: Array, level: str) -> Finding | None:
    agreement = float((labels[1:] == labels[:-1]).mean())
    shares = np.bincount(labels) / len(labels)
    chance = float((shares**2).sum())
    if chance >= 1:
        return None
    error = math.sqrt(chance * (1 - chance) / (len(labels) - 1))
    excess = (agreement - chance) / (1 - chance)
    if excess < SORTED or agreement - chance < SURE * error:
        return None
    what = "by the numbers in their names" if level == "warning" else "in the source"
    then = ("Were they taken or saved in sessions? Then light, place and device may tell the class: look at shortcuts, "
            "and split by session." if level == "warning" else "Shuffle before taking a part; Sightline's loader does.")
    return Finding(
        level=level, subject="order", score=min(1.0, excess),
        message=f"classes lie one after the other {what}: neighbours share their label in {100 * agreement:.0f} % of "
                f"cases ({100 * chance:.0f} % by chance). {then}",
        evidence={"agreement": round(agreement, 4), "by_chance": round(chance, 4)},
    )  # fmt: skip
