"""What there is to decide on: the findings of an audit, the gravest first, those about one thing together."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from sightline.audits import LEVELS, Findings
from sightline.errors import DataError
from sightline.reviewing.decisions import finding_of

MAX_GALLERIES = 2
MAX_GALLERY = 12
"""Pictures of a gallery; an audit gives no more."""

_TOLD_ELSEWHERE = {"message", "splits", "galleries", "suggested", "related", "labels", "related_id", "key",
                   "probabilities", "label", "suggested_class", "split"}
"""Entries of the evidence that the page shows in their own place."""

MAX_VALUE = 300
"""Characters of a fact."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One or several findings of a check about the same sample, pair, class or column."""

    check: str
    level: str
    """The gravest of its findings'."""
    score: float
    """The worst of them."""
    subject: str
    sample_id: bytes | None
    related_id: bytes | None
    rows: tuple[int, ...]
    """Its rows of the findings' table, the gravest first."""

    @property
    def about(self) -> Hashable:
        """What its decision is known by."""
        return finding_of(self.check, self.sample_id, self.related_id, self.subject)

    @property
    def ids(self) -> tuple[bytes, ...]:
        """The samples it is about: none, one, or a pair."""
        return tuple(i for i in (self.sample_id, self.related_id) if i is not None)


def items_of(findings: Findings) -> tuple[Item, ...]:
    """The items of all findings: by check, the check with the gravest finding first; in each the worst first."""
    rows = findings.table.select(["check", "level", "subject", "sample_id", "related_id", "score"]).to_pylist()
    rank = {level: i for i, level in enumerate(LEVELS)}
    found: dict[Hashable, list[int]] = {}
    for i in sorted(range(len(rows)), key=lambda i: (rank[rows[i]["level"]], -rows[i]["score"])):
        r = rows[i]
        about = finding_of(r["check"], r["sample_id"], r["related_id"], r["subject"])
        found.setdefault(about, []).append(i)
    items = [Item(**rows[first], rows=(first, *more)) for first, *more in found.values()]
    gravest: dict[str, int] = {}
    for item in items:
        gravest.setdefault(item.check, rank[item.level])
    ran = {check: i for i, check in enumerate(findings.checks)}
    return tuple(sorted(items, key=lambda item: (gravest[item.check], ran[item.check])))


def evidence_of(findings: Findings, item: Item) -> list[dict[str, Any]]:
    """The evidence of each of an item's findings. Raises DataError for evidence that is no JSON object."""
    column = findings.table["evidence"]
    said = []
    for row in item.rows:
        try:
            value = json.loads(column[row].as_py())
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise DataError(f"The evidence of {item.subject} ({item.check}) is no JSON object. Make the findings "
                            "again: sightline audit STUDY")  # fmt: skip
        said.append(value)
    return said


def facts_of(evidence: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value of what supports a finding, for people, without what the page shows in its own place."""
    return [
        (name.replace("_", " "), _words(value))
        for name, value in evidence.items()
        if name not in _TOLD_ELSEWHERE and value not in (None, "", [], {})
    ]


def _words(value: Any) -> str:
    if isinstance(value, bool):
        said = "yes" if value else "no"
    elif isinstance(value, float):
        said = f"{value:.4g}"
    elif isinstance(value, Mapping):
        said = ", ".join(f"{k}: {_words(v)}" for k, v in value.items() if v not in (None, ""))
    elif isinstance(value, list | tuple):
        said = ("; " if any(isinstance(v, Mapping) for v in value) else ", ").join(_words(v) for v in value)
    else:
        said = "–" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
    return said if len(said) <= MAX_VALUE else said[: MAX_VALUE - 1] + "…"


def probabilities_of(evidence: Mapping[str, Any]) -> list[float] | None:
    """Probabilities of the class that a sample has and of the one that is suggested; None where they are not told."""
    told = evidence.get("probabilities")
    found = [told.get(name) for name in ("given", "suggested")] if isinstance(told, Mapping) else []
    is_said = len(found) == 2 and all(isinstance(p, int | float) and 0 <= p <= 1 for p in found)
    return [float(p) for p in found if p is not None] if is_said else None


def galleries_of(evidence: Mapping[str, Any]) -> list[tuple[str, list[bytes]]]:
    """Title and sample ids of the galleries that a finding about a class or a column shows."""
    found = []
    told = evidence.get("galleries")
    for gallery in told[:MAX_GALLERIES] if isinstance(told, list) else ():
        try:
            ids = [bytes.fromhex(i) for i in gallery["ids"][:MAX_GALLERY]]
            found.append((str(gallery["title"]), ids))
        except (KeyError, TypeError, ValueError):
            continue  # a picture less to look at is no reason to refuse the decision
    return found
