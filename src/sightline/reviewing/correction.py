"""Decisions carried out: a new version of a sample table, with the reasons in it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from sightline.digests import short
from sightline.errors import DataError, did_you_mean
from sightline.reviewing.decisions import DROP, KEEP, MERGE, RELABEL, Decision, standing
from sightline.samples import SCHEMA, SampleTable

REVIEW = "review"
"""Kind of the groups that a review merged, and source of the labels that it gave."""

RECORD = "sightline_review"
"""Key of `extra` for what reviews decided on a sample."""

Rows = dict[int, list[Decision]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Correction:
    """A table after a review, and what was done to it."""

    samples: SampleTable
    """The new version: every row of the former, in the same order."""
    dropped: tuple[bytes, ...]
    relabelled: tuple[bytes, ...]
    merged: tuple[bytes, ...]
    """Samples that were put into a group by hand."""
    kept: int
    """Findings that were looked at and ask for no change."""
    lost_pairs: tuple[tuple[str, str], ...]
    """Keys of pairs that were found to be copies and of which no sample is left."""

    def __str__(self) -> str:
        counts = Counter(dropped=len(self.dropped), relabelled=len(self.relabelled), merged=len(self.merged))
        words = {"dropped": "dropped", "relabelled": "relabelled", "merged": "put into groups"}
        return ", ".join(f"{n:,} {words[what]}" for what, n in counts.items() if n)


def corrected(samples: SampleTable, decisions: Iterable[Decision], *, day: str) -> Correction:
    """`samples` with the standing decisions carried out, noted under `day` (a date, for people).

    A dropped sample keeps its row, with the status `dropped` and why. A relabelled one keeps its former label as an
    entry of `labels` with its source. Merged samples share a group of kind `review`, and so does all that was grouped
    with them. What was decided on a sample is listed in its `extra`.

    Raises DataError for decisions on another table or on samples that it does not have, for two new labels of one
    sample, and where nothing is to be done.
    """
    said = list(standing(decisions).values())
    _refuse_others(samples, said)
    asked = [d for d in said if d.action != KEEP]
    if not asked:
        raise DataError(f"None of the {len(said):,} decisions drops, relabels or merges anything, so the samples of "
                        f"{samples.name} stay as they are.")  # fmt: skip
    rows = {action: _by_row(samples, asked, action) for action in (DROP, RELABEL, MERGE)}
    dropped = rows[DROP]
    labels = {i: label for i, label in _new_labels(samples, rows[RELABEL]).items() if i not in dropped}
    table = _with_labels(samples, labels)
    table = _with_groups(table, samples, [d for d in asked if d.action == MERGE])
    table = _with(table, "status", dict.fromkeys(dropped, "dropped"))
    table = _with(table, "reason", {i: _reason(of[0]) for i, of in dropped.items()})
    table = _with_record(table, samples, asked)
    ids = samples.column("sample_id")
    if replace(samples, table=table).digest == samples.digest:
        raise DataError(f"What was decided is so already in the samples of {samples.name}; nothing is to be done.")
    done = Correction(
        samples=replace(samples, table=table), kept=len(said) - len(asked), dropped=tuple(ids[i] for i in dropped),
        relabelled=tuple(ids[i] for i in labels), merged=tuple(ids[i] for i in rows[MERGE]),
        lost_pairs=_lost(samples, asked, dropped),
    )  # fmt: skip
    return replace(done, samples=replace(done.samples, notes=(*samples.notes, f"reviewed {day}: {done}")))


def _refuse_others(samples: SampleTable, decisions: Sequence[Decision]) -> None:
    others = [d for d in decisions if d.table != short(samples.digest)]
    if others:
        raise DataError(f"{len(others):,} of the {len(decisions):,} decisions were made on the samples "
                        f"{others[0].table}, and these are {short(samples.digest)}: what was seen then may mean "
                        "something else now. Move decisions.csv away and review the present findings.")  # fmt: skip
    known = set(samples.column("sample_id"))
    for d in decisions:
        strange = [i.hex() for i in (d.sample_id, d.related_id) if i is not None and i not in known]
        if strange:
            raise DataError(f"The decision on {d.key} names the sample {strange[0]}, which {samples.name} does not "
                            "have. Was its line changed? Restore it, or delete it.")  # fmt: skip


def _by_row(samples: SampleTable, decisions: Sequence[Decision], action: str) -> Rows:
    """Row → decisions with this action, in the table's order; of a merge both samples."""
    found: Rows = {}
    for d in decisions:
        if d.action == action:
            ids = [d.sample_id, d.related_id] if action == MERGE else [d.sample_id]
            if None in ids:
                what = "pair" if action == MERGE else "sample"
                raise DataError(f"The decision {action!r} of {d.time} names no {what}. Delete its line from "
                                "decisions.csv.")  # fmt: skip
            for row in samples.positions(i for i in ids if i is not None).tolist():
                found.setdefault(row, []).append(d)
    return dict(sorted(found.items()))


def _new_labels(samples: SampleTable, asked: Rows) -> dict[int, int]:
    """Row → class id, of the samples whose label is to be another."""
    classes, now = samples.classes, samples.table["label"]
    labels = {}
    for row, decisions in asked.items():
        wanted = {d.value for d in decisions}
        unknown = wanted - classes.index.keys()
        key = samples.table["key"][row].as_py()
        if unknown:
            value = min(unknown)
            raise DataError(f"{key} is to be of class {value!r}, which {samples.name} does not have."
                            f"{did_you_mean(value, classes.ids)}")  # fmt: skip
        if len(wanted) > 1:
            raise DataError(f"{key} was given two classes, {' and '.join(sorted(wanted))}, in the findings "
                            f"{', '.join(sorted(d.check for d in decisions))}. Decide for one of them.")  # fmt: skip
        if classes.index[decisions[0].value] != now[row].as_py():
            labels[row] = classes.index[decisions[0].value]
    return labels


def _with_labels(samples: SampleTable, labels: Mapping[int, int]) -> pa.Table:
    """The table with new labels, the former ones as entries of the column `labels`."""
    if not labels:
        return samples.table
    now, told, extra = (samples.table[name] for name in ("label", "labels", "extra"))
    entries = {}
    for row in labels:
        if (former := now[row].as_py()) is not None:
            # A label that an earlier review gave is its word, not the dataset's.
            source = REVIEW if any(d["action"] == RELABEL for d in _record(extra[row].as_py())) else "dataset"
            entry = {"space": "", "id": former, "state": 1, "score": None, "source": source}
            entries[row] = [*(told[row].as_py() or []), entry]
    return _with(_with(samples.table, "label", labels), "labels", entries)


def _with_groups(table: pa.Table, samples: SampleTable, merges: Sequence[Decision]) -> pa.Table:
    """The table with a group for each set of samples that decisions join; it carries their own groups along."""
    if not merges:
        return table
    own = samples.column("group_id")
    parent: dict[str, str] = {}

    def top(group: str) -> str:
        while parent.setdefault(group, group) != group:
            parent[group] = parent[parent[group]]
            group = parent[group]
        return group

    pairs = [samples.positions([d.sample_id, d.related_id]).tolist() for d in merges]  # type: ignore[list-item]
    for a, b in pairs:
        low, high = sorted((top(own[a]), top(own[b])))
        parent[high] = low
    members = sorted({row for pair in pairs for row in pair})
    keys = samples.table["key"]
    names: dict[str, str] = {}
    for row in members:  # a group is called after the first of those that a person saw
        names.setdefault(top(own[row]), keys[row].as_py())
    groups = samples.table["groups"]
    entries = {
        row: [*(groups[row].as_py() or []), {"kind": REVIEW, "id": names[top(own[row])]}] for row in members
    }
    ids = {i: f"{REVIEW}:{names[top(g)]}" for i, g in enumerate(own) if g in parent}
    return _with(_with(table, "groups", entries), "group_id", ids)


def _with_record(table: pa.Table, samples: SampleTable, decisions: Sequence[Decision]) -> pa.Table:
    """The table with what was decided on a sample in the list `RECORD` of its `extra`."""
    extra = samples.table["extra"]
    said: dict[int, dict[str, Any]] = {}
    for d in decisions:
        line = {"action": d.action, "check": d.check, "time": d.time, "who": d.who, "why": d.why}
        line |= {"value": d.value} if d.value else {}
        line |= {"with": d.related_id.hex()} if d.related_id is not None and d.action != RELABEL else {}
        assert d.sample_id is not None
        both = [d.sample_id, d.related_id] if d.action == MERGE and d.related_id is not None else [d.sample_id]
        for row in samples.positions(both).tolist():
            known = said.setdefault(row, _object(extra[row].as_py()))
            known[RECORD] = [*known.get(RECORD, []), line]
    return _with(table, "extra", {row: json.dumps(value, ensure_ascii=False) for row, value in said.items()})


def _object(extra: str | None) -> dict[str, Any]:
    value = json.loads(extra) if extra else {}
    return value if isinstance(value, dict) else {"extra": value}


def _record(extra: str | None) -> list[dict[str, Any]]:
    return list(_object(extra).get(RECORD, []))


def _reason(decision: Decision) -> str:
    return f"dropped in review ({decision.check}){f': {decision.why}' if decision.why else ''}"


def _lost(samples: SampleTable, decisions: Sequence[Decision], dropped: Rows) -> tuple[tuple[str, str], ...]:
    """Pairs of which a decision drops the one as a copy of the other, while another decision drops the other."""
    keys = samples.table["key"]
    lost = set()
    for d in decisions:
        if d.action == DROP and d.sample_id is not None and d.related_id is not None:
            pair = sorted(samples.positions([d.sample_id, d.related_id]).tolist())
            if all(row in dropped for row in pair):
                lost.add((keys[pair[0]].as_py(), keys[pair[1]].as_py()))
    return tuple(sorted(lost))


def _with(table: pa.Table, name: str, values: Mapping[int, Any]) -> pa.Table:
    """The table with other values in some rows of a column."""
    if not values:
        return table
    at = SCHEMA.get_field_index(name)
    listed = table[name].to_pylist()
    for row, value in values.items():
        listed[row] = value
    return table.set_column(at, SCHEMA.field(at), pa.array(listed, SCHEMA.field(at).type))
