"""Findings: what an audit saw, one row each, in one table that every check fills."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from sightline.artifacts import about_of, as_metadata, read_table, require_known, write_table
from sightline.digests import digest_of, digest_of_rows, short
from sightline.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

VERSION = 1
"""Version of the table's schema; a reader refuses a newer one."""

LEVELS = ("error", "warning", "info")
"""The gravest first."""

SCHEMA = pa.schema(
    [
        pa.field("check", pa.string(), nullable=False),
        pa.field("level", pa.string(), nullable=False),  # info | warning | error
        pa.field("subject", pa.string(), nullable=False),  # key of the sample, or name of the class or column
        pa.field("sample_id", pa.binary(16)),  # null where the finding is about a class or a column
        pa.field("related_id", pa.binary(16)),  # the other sample of a pair
        pa.field("score", pa.float64(), nullable=False),  # 0 … 1, 1 is worst
        pa.field("evidence", pa.string(), nullable=False),  # JSON object: "message", and what supports it
    ]
)

RANK = {"train": 0, "val": 1, "test": 2}
"""The sample in the split that ranks lower is the one to leave out."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One row."""

    level: str
    subject: str
    message: str
    score: float
    sample_id: bytes | None = None
    related_id: bytes | None = None
    splits: tuple[str | None, str | None] | None = None
    """Of a pair: the split of the sample and of the related one. A pair in two splits is a leak."""
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def row(self, check: str) -> dict[str, Any]:
        """The row of the table, as found by `check`."""
        splits = {} if self.splits is None else {"splits": list(self.splits)}
        said = json.dumps({"message": self.message, **splits, **self.evidence}, ensure_ascii=False, allow_nan=False)
        return {"check": check, "level": self.level, "subject": self.subject, "sample_id": self.sample_id,
                "related_id": self.related_id, "score": self.score, "evidence": said}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Findings:
    """What the checks found, the rows of each check together, in the order the checks ran."""

    table: pa.Table
    """Arrow table of `findings.SCHEMA`; one row for an unordered pair."""
    checks: tuple[str, ...]
    """Checks that ran, with or without a finding."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Digests of the samples, and of the splits (null: the official ones) that were looked at."""

    def __post_init__(self) -> None:
        if self.table.schema.names != SCHEMA.names:
            raise DataError(f"Findings have the columns {SCHEMA.names}, got {self.table.schema.names}.")
        unknown = set(self.table["level"].to_pylist()) - set(LEVELS)
        if unknown:
            raise DataError(f"The level of a finding is one of {', '.join(LEVELS)}, got {sorted(unknown)}.")
        outside = [s for s in self.table["score"].to_pylist() if not 0 <= s <= 1]
        if outside:
            raise DataError(f"The score of a finding lies in 0 … 1, got {outside[0]}; 1 is worst.")
        strangers = set(self.table["check"].to_pylist()) - set(self.checks)
        if strangers:
            raise DataError(f"Findings of checks that are not listed as run: {sorted(strangers)}.")

    @classmethod
    def of(cls, found: Iterable[tuple[str, Sequence[Finding]]], about: Mapping[str, Any]) -> Findings:
        """Findings of checks that ran in this order: (name of the check, what it found)."""
        ran = list(found)
        rows = [finding.row(check) for check, findings in ran for finding in findings]
        return cls(pa.Table.from_pylist(rows, schema=SCHEMA), tuple(check for check, _ in ran), dict(about))

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @cached_property
    def digest(self) -> str:
        """sha256 of the rows, the checks and what was looked at, hex."""
        return digest_of([digest_of_rows(self.table), list(self.checks), dict(self.about)])

    def count(self, level: str) -> int:
        """Findings of a level."""
        return int(pc.sum(pc.equal(self.table["level"], level)).as_py() or 0)

    @cached_property
    def crossing(self) -> list[tuple[bytes, str, bytes, str]]:
        """Pairs of samples in two splits: (lower id, its split, higher id, its split), train below val below test."""
        pairs = []
        rows = self.table.select(["sample_id", "related_id", "evidence"]).to_pylist()
        for row in rows:
            if row["sample_id"] is None or row["related_id"] is None:
                continue
            a, b = json.loads(row["evidence"]).get("splits") or (None, None)
            if a in RANK and b in RANK and a != b:
                ends = sorted([(RANK[a], row["sample_id"], a), (RANK[b], row["related_id"], b)])
                pairs.append((ends[0][1], ends[0][2], ends[1][1], ends[1][2]))
        return pairs

    def leaks(self) -> tuple[bytes, ...]:
        """Ids of train that have a copy in val or test, and of val that have one in test: what to leave out."""
        return tuple(dict.fromkeys(lower for lower, _, _, _ in self.crossing))

    def leaked_test_ids(self) -> tuple[bytes, ...]:
        """Ids of test that have a copy in train or val. Audits may read the test's pixels; this is no look."""
        return tuple(dict.fromkeys(higher for _, _, higher, split in self.crossing if split == "test"))

    def merge(self, new: Findings) -> Findings:
        """These findings with the rows of the checks that ran again replaced by the new ones.

        Raises DataError when the new ones are of other samples or other splits.
        """
        if dict(self.about) != dict(new.about):
            raise DataError("These findings are of other samples or other splits than the new ones, so they cannot "
                            "stand in one table. Run all checks again: sightline audit STUDY")  # fmt: skip
        order = [*self.checks, *(c for c in new.checks if c not in self.checks)]
        parts = [(new if c in new.checks else self)._rows_of(c) for c in order]
        return Findings(pa.concat_tables(parts) if parts else self.table, tuple(order), self.about)

    def _rows_of(self, check: str) -> pa.Table:
        return self.table.filter(pa.array([c == check for c in self.table["check"].to_pylist()], pa.bool_()))

    def __repr__(self) -> str:
        words = zip(LEVELS, ("error", "warning", "note"), strict=True)
        said = [f"{n:,} {word}{'s' if n > 1 else ''}" for level, word in words if (n := self.count(level))]
        said += [f"{n:,} with a copy in a later split"] if (n := len(self.leaks())) else []
        checks = f"{len(self.checks)} check{'s' if len(self.checks) != 1 else ''}"
        return " · ".join([checks, *(said or ["nothing found"]), short(self.digest)])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{r['level']}<td>{escape(r['check'])}<td>{escape(r['subject'])}"
            f"<td>{escape(str(json.loads(r['evidence']).get('message', '')))}</tr>"
            for r in self.table.slice(0, 20).to_pylist()
        )
        return f"<p>{escape(repr(self))}</p><table><tr><th>level<th>check<th>subject<th>message</tr>{rows}</table>"

    def to_pandas(self) -> pd.DataFrame:
        """One row a finding, ids in hex, with the message as a column of its own."""
        table = self.table
        for name in ("sample_id", "related_id"):
            ids = [None if v is None else v.hex() for v in table[name].to_pylist()]
            table = table.set_column(table.schema.get_field_index(name), name, pa.array(ids, pa.string()))
        messages = [json.loads(e).get("message", "") for e in table["evidence"].to_pylist()]
        return table.append_column("message", pa.array(messages, pa.string())).to_pandas()

    def write(self, path: Path) -> None:
        """Write findings.parquet, whole."""
        about = {"version": VERSION, "checks": list(self.checks), "about": dict(self.about), "digest": self.digest}
        write_table(Path(path), self.table.replace_schema_metadata(as_metadata(about)))

    @classmethod
    def read(cls, path: Path) -> Findings:
        """Read what `write` wrote. Raises DataError for another kind of file, VersionError for a newer format."""
        table = read_table(Path(path))
        about = about_of(table)
        require_known(about.get("version", 0), VERSION, path)
        if "checks" not in about or table.schema.names != SCHEMA.names:
            raise DataError(f"{path} holds no findings of Sightline. Make them: sightline audit STUDY")
        return cls(table.cast(SCHEMA), tuple(about["checks"]), about["about"])
