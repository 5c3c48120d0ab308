"""Looks at one test: counted over its content, and over the corrections that turned one test into another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sightline.digests import plain
from sightline.errors import LedgerError
from sightline.ledger.lines import Line
from sightline.splits import SealedSplit

TOLD = 3
"""Earlier looks told in a refusal."""

CORRECTIONS = ("dropped", "relabelled")
"""What a review can do to samples of a test."""


@dataclass(frozen=True)
class Look:
    """One opening of a test split."""

    number: int
    """1 is the first. The folds of one cross-validation share a number."""
    time: str
    """ISO 8601, UTC."""
    fingerprint: str
    """Of the content of the test split."""
    n: int
    verb: str
    note: str
    """Why; for the first look the verb, where nothing else was said."""
    checkpoints: tuple[str, ...]
    """Digests or names of what was to be scored."""
    fold: tuple[int, int] | None = None
    """Fold number and number of folds."""
    plan: str | None = None
    """Digest of how the folds were made."""
    id: str = ""
    samples: str = ""
    """Digest of the sample table that the test is of; empty in lines of older versions."""
    corrected: Mapping[str, int] = field(default_factory=dict, compare=False)
    """Test samples that reviews `dropped` or `relabelled` before this look, all corrections together."""
    result: Mapping[str, Any] | None = field(default=None, compare=False)
    """What came of it; None when it was interrupted."""

    def __str__(self) -> str:
        when = datetime.fromisoformat(self.time).strftime("%Y-%m-%d %H:%M")
        fold = f', fold {self.fold[0]} of {self.fold[1]}' if self.fold else ""
        shown = ", ".join(f"{100 * v:.1f} %" for v in self.top1)
        said = "no result" if self.result is None else f"top-1 {shown}" if shown else "result recorded"
        return f'look {self.number}: {when}, "{self.note}"{fold}, {said}'

    @property
    def top1(self) -> list[float]:
        """Top-1 of each checkpoint that was scored, in [0, 1]; empty where none is recorded."""
        found = (self.result or {}).get("top1")
        each = found if isinstance(found, Sequence) and not isinstance(found, str) else [found]
        numbers = [v["value"] if isinstance(v, Mapping) else v for v in each]
        return [v for v in numbers if isinstance(v, int | float)]

    @property
    def correction(self) -> str:
        """What reviews did to the test before this look, for people; empty where nothing was done."""
        said = ", ".join(f"{n:,} {what}" for what, n in self.corrected.items())
        return f"the test was corrected in review: {said}" if said else ""

    def to_json(self) -> dict[str, Any]:
        """The look as JSON types."""
        return {k: v for k, v in plain(self).items() if k != "type"}


def next_number(sealed: SealedSplit, looks: Sequence[Look], note: str | None) -> int:
    """The number of the next look; for a fold that the latest look has not opened yet, that look's number.

    Raises LedgerError when it needs a note and has none.
    """
    latest = max((look.number for look in looks), default=0)
    if sealed.fold is not None and looks:
        same = [look for look in looks if look.number == latest]
        opened = {look.fold[0] for look in same if look.fold}
        if {look.plan for look in same} == {sealed.fold.plan} and sealed.fold.number not in opened:
            return latest
    if latest and not (note or "").strip():
        told = "; ".join(str(look) for look in looks[-TOLD:])
        more = f"; {len(looks) - TOLD} more before" if len(looks) > TOLD else ""
        raise LedgerError(f"this would be look {latest + 1} at the test split ({told}{more}).\n"
                          '  Say why it is needed: --note "…". Every later number will carry it.')  # fmt: skip
    return latest + 1


def looks_in(lines: Sequence[Line], test: SealedSplit | str | None) -> tuple[Look, ...]:
    """Looks in the order of their time, numbered anew: a line that is in both files counts once, and two looks that
    were made apart under one number, in copies of a study, count as two.

    `test` is a sealed split, or the fingerprint of one; None: looks at any. Looks at a test count for what became of
    it in a review, and the other way round: most of their images are the same.
    """
    opened = sorted({o["id"]: o for o in lines if o["kind"] == "look"}.values(), key=lambda o: str(o["time"]))
    results = {line["of"]: line["result"] for line in lines if line["kind"] == "result"}
    successions = [line for line in lines if line["kind"] == "succession"]
    if test is not None:
        fingerprint, samples = (test, "") if isinstance(test, str) else (test.fingerprint, test.samples)
        return _numbered(opened, results, _related(opened, successions, fingerprint, samples))
    found: dict[str, Look] = {}
    for o in opened:
        related = _related(opened, successions, o["fingerprint"], o.get("samples", ""))
        found |= {look.id: look for look in _numbered(opened, results, related) if look.id == o["id"]}
    return tuple(found.values())


def corrections_of(lines: Iterable[Line], samples: str) -> dict[str, int]:
    """Test samples dropped and relabelled, by name, in all reviews that led to the table with this digest."""
    totals: dict[str, int] = {}
    successions = _by(lines, "samples")
    seen = set()
    while samples in successions and samples not in seen:
        seen.add(samples)
        line = successions[samples][-1]
        for name, n in line["corrected"].items():
            totals[name] = totals.get(name, 0) + int(n)
        samples = line["former"]
    return {name: totals[name] for name in CORRECTIONS if totals.get(name)}


def _related(opened: Sequence[Line], successions: Sequence[Line], fingerprint: str, samples: str) -> set[str]:
    """Fingerprints of the test, of those that became it in reviews, and of those that it became."""
    looked = _by(opened, "fingerprint")
    of_table, following = _by(successions, "samples"), _by(successions, "former")
    known = {fingerprint}
    tables = {samples, *(o.get("samples", "") for o in looked.get(fingerprint, ()))} - {""}
    todo = list(tables)
    while todo:  # back: the tests that the former tables had
        for line in of_table.get(todo.pop(), ()):
            known |= set(line["fingerprints"])
            todo += [line["former"]] if line["former"] not in tables else []
            tables.add(line["former"])
    after = {line["samples"] for line in successions if known & set(line["fingerprints"])}
    todo = list(after)
    while todo:  # on: the tests that were looked at in the tables that follow
        new = {line["samples"] for line in following.get(todo.pop(), ())} - after
        after |= new
        todo += new
    return known | {o["fingerprint"] for o in opened if o.get("samples", "") in after}


def _by(lines: Iterable[Line], name: str) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for line in lines:
        if line["kind"] == "succession" or name == "fingerprint":
            found.setdefault(line[name], []).append(line)
    return found


def _numbered(opened: Sequence[Line], results: Mapping[str, Any], fingerprints: set[str]) -> tuple[Look, ...]:
    # The folds of a plan share their number; any other look is one of its own.
    known: list[tuple[int, str]] = []
    looks = []
    names = {f.name for f in fields(Look)}
    for o in opened:
        if o["fingerprint"] not in fingerprints:
            continue
        one = (o["number"], o["plan"] or o["id"])
        known += [] if one in known else [one]
        told = {k: v for k, v in o.items() if k in names}
        told |= {"checkpoints": tuple(o["checkpoints"]), "fold": tuple(o["fold"]) if o["fold"] else None}
        looks.append(Look(**told | {"number": known.index(one) + 1, "result": results.get(o["id"])}))
    return tuple(looks)
