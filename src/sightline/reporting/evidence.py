"""What was checked before the number was made: the audit's findings as pictures and rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sightline.audits import CHECKS, LEVELS, Findings
from sightline.checklist import Checklist
from sightline.ledger import Ledger, Look
from sightline.metrics import Score
from sightline.reporting.data import Names
from sightline.reporting.pictures import Gallery, Picture
from sightline.reporting.wording import MISSING, listed, number, percent, plural
from sightline.samples import SampleTable
from sightline.splits import Splits

MAX_PAIRS = 12
"""Pairs of one check shown as pictures; the rest stays in findings.parquet."""

MAX_OF_KIND = 6
"""Single samples of one kind (dark, letterboxed, …) shown as pictures: a row of them."""

MAX_ROWS = 30
"""Findings of one check listed as rows."""

MAX_GALLERIES, IN_GALLERY = 6, 8
"""Findings of one check shown by galleries, and the pictures of each gallery: 96 thumbnails of 4 kB."""


class Witness:
    """Turns sample ids of findings into pictures with their split and class."""

    def __init__(self, samples: SampleTable, assigned: Names, gallery: Gallery, *, is_test_open: bool) -> None:
        self._samples, self._assigned, self._gallery = samples, assigned, gallery
        self._is_test_open = is_test_open

    def _row(self, sample_id: bytes) -> int:
        return int(self._samples.positions([sample_id])[0])

    def is_sealed(self, sample_id: bytes) -> bool:
        """Whether it is a sample of the test that no score has opened."""
        return not self._is_test_open and bool(self._assigned[self._row(sample_id)] == "test")

    def title(self, label: int) -> str:
        """Name of a class, for people."""
        return self._gallery.title(label)

    def pictures(self, ids: Sequence[bytes], most: int) -> list[Picture]:
        """Pictures of some of the samples: those that there are, and may be seen."""
        open_ = [i for i in ids if self.can_see(i) and not self.is_sealed(i)]
        return self._gallery.pictures(self._row(i) for i in open_[:most])

    def can_see(self, sample_id: bytes | None) -> bool:
        """Whether there is an image to show of a sample."""
        return sample_id is not None and bool(self._samples.is_ok[self._row(sample_id)])

    def __call__(self, sample_id: bytes) -> dict[str, Any]:
        """The picture of a sample, its split and its class; no picture for a test sample that no score has opened."""
        i = self._row(sample_id)
        picture: Picture = self._gallery.withheld(i) if self.is_sealed(sample_id) else self._gallery.picture(i)
        split = str(self._assigned[i])
        return {"picture": picture, "split": split or "left out", "class": self._gallery.class_name(i)}


def describe_findings(findings: Findings, splits: Splits, witness: Witness) -> dict[str, Any]:
    """Findings by check, the gravest first: counts by level, pictures of pairs, rows for the rest."""
    rows = findings.table.to_pylist()
    checks: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda r: (LEVELS.index(r["level"]), -(r["score"] or 0.0))):
        checks.setdefault(row["check"], []).append(row)
    counts = {level: sum(r["level"] == level for r in rows) for level in LEVELS}
    shown = [_check(name, found, witness) for name, found in checks.items()]
    quiet = [name.replace("-", " ") for name in findings.checks if name not in checks]
    unasked = [check.name.replace("-", " ") for check in CHECKS if check.name not in findings.checks]
    is_of_other_splits = findings.about.get("splits", splits.digest) not in {splits.digest, None}
    return {"counts": counts, "checks": shown, "quiet": listed(quiet), "unasked": listed(unasked),
            "is_of_other_splits": is_of_other_splits}


def _check(name: str, rows: list[dict[str, Any]], witness: Witness) -> dict[str, Any]:
    galleries = [r for r in rows if '"galleries"' in r["evidence"]]
    others = [r for r in rows if '"galleries"' not in r["evidence"]]
    seen = [r for r in others if witness.can_see(r["sample_id"])]
    pairs = [r for r in seen if r["related_id"] is not None]
    pairs.sort(key=lambda r: witness.is_sealed(r["sample_id"]) and witness.is_sealed(r["related_id"]))
    plain = [r for r in others if not witness.can_see(r["sample_id"])] + galleries[MAX_GALLERIES:]
    return {
        "name": name.replace("-", " ").capitalize(), "level": rows[0]["level"], "n": len(rows),
        "galleries": [{**_row(r), "galleries": _galleries(r, witness)} for r in galleries[:MAX_GALLERIES]],
        "pictures": [{**_row(r), "members": [witness(i) for i in (r["sample_id"], r["related_id"]) if i is not None],
                      "relabel": _relabelled(r, witness)} for r in pairs[:MAX_PAIRS]],
        "more_pictures": max(0, len(pairs) - MAX_PAIRS),
        "kinds": _kinds([r for r in seen if r["related_id"] is None], witness),
        "rows": [_row(r) for r in plain[:MAX_ROWS]], "more_rows": max(0, len(plain) - MAX_ROWS),
    }  # fmt: skip


def _kinds(rows: list[dict[str, Any]], witness: Witness) -> list[dict[str, Any]]:
    """Single samples by the kind of what was found, in the rows' order: how many there are, and some pictures."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        kinds.setdefault(str(json.loads(row["evidence"]).get("kind", "")), []).append(row)
    return [
        {"name": kind.replace("-", " "), "n": len(of), "level": of[0]["level"], "pictures": [
            {**_row(r), **witness(r["sample_id"])}
            for r in sorted(of, key=lambda r: witness.is_sealed(r["sample_id"]))[:MAX_OF_KIND]
        ]} for kind, of in kinds.items()
    ]  # fmt: skip


def _row(row: dict[str, Any]) -> dict[str, Any]:
    message = json.loads(row["evidence"]).get("message", "")
    return {"level": row["level"], "subject": row["subject"], "message": message}


def _galleries(row: dict[str, Any], witness: Witness) -> list[dict[str, Any]]:
    """Title and pictures of each gallery; one whose samples are all sealed or unreadable says so by being empty."""
    return [{"title": g["title"], "pictures": witness.pictures([bytes.fromhex(i) for i in g["ids"]], IN_GALLERY)}
            for g in json.loads(row["evidence"])["galleries"]]  # fmt: skip


def _relabelled(row: dict[str, Any], witness: Witness) -> dict[str, Any] | None:
    """The label that a sample has and the one that is suggested, with their probabilities; None for other findings."""
    said = json.loads(row["evidence"])
    if not isinstance(said.get("suggested"), int):
        return None
    of = said.get("probabilities") or {}
    return {"given": witness(row["sample_id"])["class"], "suggested": witness.title(said["suggested"]),
            "given_probability": of.get("given"), "suggested_probability": of.get("suggested")}  # fmt: skip


def describe_checklist(checklist: Checklist) -> dict[str, Any]:
    """The lines of the checklist in its order, a sentence that counts them, and the estimate of time and memory."""
    levels = [c.level for c in checklist.checks]
    said = [f"{levels.count('pass')} of {len(levels)} pass"]
    words = {"warn": "warning", "fail": "failure"}
    said += [plural(levels.count(level), word) for level, word in words.items() if level in levels]
    return {
        "summary": ", ".join(said) + ".",
        "checks": [{"name": c.name, "level": c.level, "message": c.message, "todo": c.todo} for c in checklist.checks],
        "estimate": [_estimated(name, value) for name, value in checklist.estimate.items()],
    }


UNITS = {"min": "min", "s": "s", "mib": "MiB"}


def _estimated(name: str, value: float | str) -> tuple[str, str]:
    """Name and value for people; a unit at the name's end moves to the value."""
    words, _, last = name.rpartition("_")
    said = value if isinstance(value, str) else number(value)
    if last in UNITS and not words.endswith("_per"):
        return words.replace("_", " "), f"{said}\u00a0{UNITS[last]}"
    return name.replace("_", " "), said


def describe_ledger(ledger: Ledger, splits: Splits, score: Score | None) -> dict[str, Any] | None:
    """Every look at this test split, oldest first; None where there is no test split.

    Raises LedgerError when a line of the ledger was changed.
    """
    if splits.test is None:
        return None
    looks = ledger.looks(splits.test.fingerprint)
    told = (f"{plural(len(looks), 'opening')} of this test split, in this study and in the user's own log. Each line "
            "carries the digest of the line before it, and the chain is unbroken.")
    return {"told": told, "looks": [_look(look, score) for look in looks]}


def _look(look: Look, score: Score | None) -> dict[str, Any]:
    number = f"{look.number}, fold {look.fold[0]} of {look.fold[1]}" if look.fold else str(look.number)
    return {
        "number": number, "time": f"{datetime.fromisoformat(look.time):%Y-%m-%d %H:%M} UTC", "note": look.note,
        "verb": look.verb, "checkpoints": look.checkpoints, "top1": _top1(look),
        "is_this": score is not None and score.look == look.number,
    }  # fmt: skip


def _top1(look: Look) -> str:
    return "no result" if look.result is None else ", ".join(map(percent, look.top1)) or MISSING
