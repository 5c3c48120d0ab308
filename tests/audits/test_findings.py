"""`Findings` as a value: what it shows, how parts of it are replaced, and what it survives."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sightline.audits import SCHEMA, Finding, Findings
from sightline.errors import DataError, VersionError

ABOUT = {"samples": "s", "splits": "p"}


def finding(subject: str = "x", level: str = "info", score: float = 0.5, **known: object) -> Finding:
    return Finding(level=level, subject=subject, message=f"about {subject}", score=score, **known)  # type: ignore[arg-type]


def some() -> Findings:
    pair = finding("pair", "error", 1.0, sample_id=b"a" * 16, related_id=b"b" * 16, splits=("test", "train"))
    return Findings.of([("one", [finding("x"), pair]), ("two", []), ("three", [finding("<b>", "warning")])], ABOUT)


def test_table_is_the_settled_one() -> None:
    assert SCHEMA.names == ["check", "level", "subject", "sample_id", "related_id", "score", "evidence"]
    table = some().table
    assert table["check"].to_pylist() == ["one", "one", "three"]
    assert json.loads(table["evidence"][1].as_py()) == {"message": "about pair", "splits": ["test", "train"]}


def test_leaks_name_the_sample_to_leave_out_whichever_way_round_the_pair_stands() -> None:
    assert some().leaks() == (b"b" * 16,)
    assert some().leaked_test_ids() == (b"a" * 16,)


def test_merge_replaces_the_rows_of_checks_that_ran_again() -> None:
    new = Findings.of([("three", []), ("two", [finding("y")]), ("four", [finding("z")])], ABOUT)
    merged = some().merge(new)
    assert merged.checks == ("one", "two", "three", "four")
    assert list(zip(merged.table["check"].to_pylist(), merged.table["subject"].to_pylist(), strict=True)) == [
        ("one", "x"), ("one", "pair"), ("two", "y"), ("four", "z"),
    ]  # fmt: skip
    assert some().merge(some()).digest == some().digest
    with pytest.raises(DataError, match="Run all checks again"):
        some().merge(Findings.of([("one", [])], {**ABOUT, "splits": "other"}))


def test_write_and_read(tmp_path: Path) -> None:
    path = tmp_path / "findings.parquet"
    for findings in (some(), Findings.of([("one", [])], ABOUT)):
        findings.write(path)
        again = Findings.read(path)
        assert again.digest == findings.digest
        assert again.checks == findings.checks
        assert again.table.equals(findings.table)
    pq.write_table(some().table.replace_schema_metadata({"sightline": '{"version": 2}'}), path)
    with pytest.raises(VersionError, match="format 2"):
        Findings.read(path)
    pq.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(DataError, match="holds no findings"):
        Findings.read(path)


def test_shown_to_people() -> None:
    findings = some()
    assert repr(findings).startswith("3 checks · 1 error · 1 warning · 1 note · 1 with a copy in a later split · ")
    assert repr(Findings.of([("one", [])], {})).startswith("1 check · nothing found")
    assert "<b>" not in findings._repr_html_()
    assert "&lt;b&gt;" in findings._repr_html_()
    frame = findings.to_pandas()
    assert frame["message"].tolist() == ["about x", "about pair", "about <b>"]
    assert frame["sample_id"].dropna().to_dict() == {1: (b"a" * 16).hex()}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([finding(level="fatal").row("one")], "one of error, warning, info"),
        ([finding(score=1.5).row("one")], "0 … 1"),
        ([finding().row("other")], "not listed as run"),
    ],
)
def test_values_are_checked_when_born(rows: list[dict[str, object]], said: str) -> None:
    with pytest.raises(DataError, match=said):
        Findings(pa.Table.from_pylist(rows, schema=SCHEMA), ("one",))
