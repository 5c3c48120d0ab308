"""A review under way: what the page may ask, and what becomes of a person's answers."""

from __future__ import annotations

import getpass
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np

from sightline.audits import CHECKS, LEVELS, Findings
from sightline.digests import short
from sightline.errors import DataError, DecodeError
from sightline.reviewing.decisions import (
    ACTIONS,
    DROP,
    KEEP,
    MERGE,
    RELABEL,
    UNDO,
    Decision,
    Journal,
    live,
    shown,
    standing,
)
from sightline.reviewing.pictures import SIDES, picture
from sightline.reviewing.queue import Item, evidence_of, facts_of, galleries_of, items_of, probabilities_of
from sightline.samples import SampleTable
from sightline.splits import Splits

SEALED = "sealed: no score was made on the test split"

_DONE = {KEEP: "kept", DROP: "dropped", RELABEL: "relabelled", MERGE: "merged into one group"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """What is reviewed."""

    samples: SampleTable
    findings: Findings
    splits: Splits | None = None
    """None: the official splits."""
    is_test_open: bool = False
    """Whether a score has opened the test, so that its pictures may be shown and its samples changed."""

    def __post_init__(self) -> None:
        made = self.findings.about.get("samples")
        if made != self.samples.digest:
            raise DataError(f"The findings were made on the samples {short(str(made))}, got those of "
                            f"{self.samples.name}, {short(self.samples.digest)}. Make them again: sightline audit "
                            "STUDY")  # fmt: skip
        if self.splits is not None and self.splits.samples_digest != self.samples.digest:
            raise DataError(f"The splits were made for other samples than those of {self.samples.name}. Assign them "
                            "again: sightline split STUDY")  # fmt: skip

    @cached_property
    def assigned(self) -> np.ndarray[Any, Any]:
        """Name of the split of each sample in table order, an object array; None for a sample in none."""
        if self.splits is None:
            return np.array(self.samples.column("split"), object)
        names = np.full(len(self.samples), None, object)
        rows = self.samples.positions(self.splits.table["sample_id"].to_pylist())
        names[rows] = self.splits.table["split"].to_pylist()
        return names

    def is_sealed(self, row: int) -> bool:
        """Whether a sample is of a test that no score has opened."""
        return not self.is_test_open and self.assigned[row] == "test"


class Session:
    """Items, and the decisions on them in a journal; safe to share between threads."""

    def __init__(self, material: Material, journal: Journal) -> None:
        self._of, self._journal = material, journal
        self._table = short(material.samples.digest)
        others = [d for d in journal.decisions if d.table != self._table]
        if others:
            raise DataError(f"{journal.path} holds decisions on the samples {others[0].table}, and these are "
                            f"{self._table}. Carry them out where they were made, or move the file away to begin "
                            "anew.")  # fmt: skip
        self.items = items_of(material.findings)
        self._reader = material.samples.reader()
        self._lock = threading.Lock()
        self._standing = standing(journal.decisions)

    @property
    def num_decided(self) -> int:
        """Items with a decision."""
        return sum(item.about in self._standing for item in self.items)

    @cached_property
    def _by_sample(self) -> dict[bytes, list[int]]:
        """Items about each sample: what was decided on it elsewhere is told with it."""
        found: dict[bytes, list[int]] = {}
        for n, item in enumerate(self.items):
            for i in item.ids:
                found.setdefault(i, []).append(n)
        return found

    def overview(self) -> dict[str, Any]:
        """What the page needs once: the dataset, its classes, the checks, and each item's check, level and action."""
        samples = self._of.samples
        checks = list(dict.fromkeys(item.check for item in self.items))
        looks_for = {check.name: check.looks_for for check in CHECKS}
        return {
            "name": samples.name, "table": self._table, "levels": LEVELS,
            "classes": [{"id": native, "title": samples.classes.title(i)}
                        for i, native in enumerate(samples.classes.ids)],
            "checks": [{"name": name, "looks_for": looks_for.get(name, "")} for name in checks],
            "quiet": [name for name in self._of.findings.checks if name not in checks],
            "items": [[checks.index(item.check), LEVELS.index(item.level), self._action(item)] for item in self.items],
            "sealed": bool(not self._of.is_test_open and (self._of.assigned == "test").any()),
            "file": self._journal.path.name,
        }  # fmt: skip

    def _action(self, item: Item) -> str | None:
        decision = self._standing.get(item.about)
        return None if decision is None else decision.action

    def item(self, n: int) -> dict[str, Any]:
        """Everything the page shows of item number `n`. Raises DataError when there is none."""
        item = self._item(n)
        evidence = evidence_of(self._of.findings, item)
        decision = self._standing.get(item.about)
        shown_samples = [self._sample(i, but=n) for i in item.ids]
        galleries = [{"title": title, "samples": [self._small(i) for i in ids]}
                     for e in evidence for title, ids in galleries_of(e)]  # fmt: skip
        return {
            "n": n, "check": item.check, "level": item.level, "subject": item.subject, "score": item.score,
            "messages": [str(e.get("message", "")) for e in evidence if e.get("message")],
            "facts": list(dict.fromkeys(fact for e in evidence for fact in facts_of(e))),
            "samples": shown_samples, "galleries": galleries,
            "suggested": self._suggested(evidence), "actions": self._actions(item, evidence),
            "decision": None if decision is None else self._told(decision),
        }  # fmt: skip

    def _item(self, n: int) -> Item:
        if not 0 <= n < len(self.items):
            raise DataError(f"There is no finding number {n}; there are {len(self.items):,}.")
        return self.items[n]

    def _actions(self, item: Item, evidence: Sequence[Mapping[str, Any]]) -> list[str]:
        is_pair = len(item.ids) == 2 and self._suggested(evidence) is None  # not: the class that is suggested, shown
        return [KEEP] if not item.ids else list(ACTIONS) if is_pair else [KEEP, DROP, RELABEL]

    def _suggested(self, evidence: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
        """The class that a finding suggests, with the probabilities of the given and of the suggested one."""
        classes = self._of.samples.classes
        for e in evidence:
            i = e.get("suggested")
            if isinstance(i, int) and not isinstance(i, bool) and 0 <= i < len(classes):
                return {"id": classes.ids[i], "title": classes.title(i), "probabilities": probabilities_of(e)}
        return None

    def _told(self, decision: Decision) -> dict[str, Any]:
        said = _DONE[decision.action]
        if decision.action == RELABEL:
            index = self._of.samples.classes.index
            said += f" as {self._of.samples.classes.title(index[decision.value])}" if decision.value in index else ""
        return {"action": decision.action, "said": said, "why": decision.why, "time": decision.time,
                "sample": None if decision.sample_id is None else decision.sample_id.hex()}  # fmt: skip

    def _small(self, sample_id: bytes) -> dict[str, Any]:
        """What a gallery shows of a sample."""
        row = int(self._of.samples.positions([sample_id])[0])
        return {"key": self._value("key", row), "class": self._class(row), "split": self._of.assigned[row],
                **self._seen(row)}  # fmt: skip

    def _seen(self, row: int) -> dict[str, Any]:
        """The row whose picture may be asked for; None, with the reason, where there is nothing to show."""
        if self._of.is_sealed(row):
            return {"row": None, "why_not": SEALED}
        if not self._of.samples.is_ok[row] and not self._of.samples.is_dropped[row]:
            return {"row": None, "why_not": self._value("reason", row) or "cannot be read"}
        return {"row": row, "why_not": ""}

    def _sample(self, sample_id: bytes, *, but: int) -> dict[str, Any]:
        row = int(self._of.samples.positions([sample_id])[0])
        label = self._value("label", row)
        elsewhere = []
        for n in self._by_sample.get(sample_id, ()):
            decision = self._standing.get(self.items[n].about)
            if n == but or decision is None or decision.action == KEEP:
                continue
            if decision.sample_id == sample_id or decision.action == MERGE:
                elsewhere.append(f"{self._told(decision)['said']} in {self.items[n].check}")
        return {
            **self._small(sample_id), "id": sample_id.hex(), "sealed": self._of.is_sealed(row),
            "class_id": None if label is None else self._of.samples.classes.ids[label],
            "facts": self._facts(row), "elsewhere": elsewhere,
        }  # fmt: skip

    def _facts(self, row: int) -> list[tuple[str, str]]:
        table = self._of.samples.table
        image = table["image"][row].as_py()
        facts = []
        if image["width"] and image["height"]:
            facts.append(("size", f"{image['width']:,} × {image['height']:,}"))
        stored = [str(image[name]) for name in ("codec", "mode") if image[name]]
        stored += [f"{image['bits']} bits"] if image["bits"] not in (None, 8) else []
        stored += ["turned by EXIF"] if image["exif_orientation"] not in (None, 1) else []
        facts += [("stored as", ", ".join(stored))] if stored else []
        facts += [(g["kind"], g["id"]) for g in table["groups"][row].as_py() or []]
        facts += [("time", str(time))] if (time := table["time"][row].as_py()) is not None else []
        return facts

    def _value(self, name: str, row: int) -> Any:
        return self._of.samples.table[name][row].as_py()

    def _class(self, row: int) -> str:
        label = self._value("label", row)
        return "unlabelled" if label is None else self._of.samples.classes.title(label)

    def picture(self, row: int, side: int) -> tuple[bytes, str]:
        """A picture of the sample in a row and its media type. Raises DecodeError where it may or can not be shown."""
        if not 0 <= row < len(self._of.samples) or side not in SIDES:
            raise DecodeError("there is no such picture")
        if self._of.is_sealed(row):
            raise DecodeError(SEALED)
        return picture(self._reader, row, side)

    def decide(self, n: int, action: str, *, target: int = 0, value: str = "", why: str = "") -> dict[str, Any]:
        """Item `n` with this decision on it, which is on disk.

        `target` is the sample of a pair that is dropped or relabelled, 0 or 1; `value` the native id of the new class.
        Raises DataError for what an item of this kind cannot be answered with.
        """
        item = self._item(n)
        can = self._actions(item, evidence_of(self._of.findings, item))
        if action not in can:
            raise DataError(f"This finding cannot be answered with {action!r}; it can with {', '.join(can)}.")
        ids = item.ids
        if ids and not 0 <= target < len(ids):
            raise DataError(f"This finding has {len(ids)} samples, got number {target + 1}.")
        chosen = ids[target] if ids and action in {DROP, RELABEL} else item.sample_id
        if action in {DROP, RELABEL} and chosen is not None:
            self._refuse_unchangeable(chosen, action, value)
        related = next((i for i in ids if i != chosen), None)
        key = item.subject if chosen is None else self._value("key", int(self._of.samples.positions([chosen])[0]))
        decision = Decision(
            time=_now(), table=self._table, check=item.check, sample_id=chosen, related_id=related, key=shown(key),
            action=action, value=value if action == RELABEL else "", who=_who(), why=shown(why.strip()),
        )  # fmt: skip
        self._append(decision)
        return self.item(n)

    def _refuse_unchangeable(self, sample_id: bytes, action: str, value: str) -> None:
        row = int(self._of.samples.positions([sample_id])[0])
        if self._of.is_sealed(row):
            raise DataError("This sample is in the sealed test, which no score has opened: it cannot be "
                            f"{_DONE[action]}. Decide on its copy in train, or keep.")  # fmt: skip
        classes = self._of.samples.classes
        if action == RELABEL and value not in classes.index:
            raise DataError(f"There is no class {value!r} in {self._of.samples.name}.")
        if action == RELABEL and classes.index[value] == self._value("label", row):
            raise DataError(f"This sample is of the class {classes.title(classes.index[value])} already. Keep it.")

    def undo(self) -> dict[str, Any] | None:
        """The item whose decision was taken back, the latest of all that stand; None when none does."""
        with self._lock:
            known = {item.about: n for n, item in enumerate(self.items)}
            last = next((d for d in reversed(live(self._journal.decisions)) if d.about in known), None)
            if last is None:
                return None
            self._journal.append(replace(last, time=_now(), action=UNDO, value="", why="", who=_who()))
            self._standing = standing(self._journal.decisions)
        return self.item(known[last.about])

    def _append(self, decision: Decision) -> None:
        with self._lock:
            self._journal.append(decision)
            self._standing[decision.about] = decision


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _who() -> str:
    try:
        return shown(getpass.getuser())
    except (KeyError, OSError, ImportError):
        return ""  # a container's user may have no name


