"""What there is to decide on, in which order, and what is told of it."""

from __future__ import annotations

import pytest

from sightline.audits import Finding, Findings
from sightline.errors import DataError
from sightline.reviewing.queue import evidence_of, facts_of, galleries_of, items_of, probabilities_of
from tests.reviewing.material import Material

A, B = b"a" * 16, b"b" * 16


def findings(**by_check: list[Finding]) -> Findings:
    return Findings.of(by_check.items(), {})


def finding(level: str = "info", score: float = 0.5, sample: bytes | None = A, related: bytes | None = None,
            **evidence: object) -> Finding:  # fmt: skip
    return Finding(level=level, subject="s", message="m", score=score, sample_id=sample, related_id=related,
                   evidence=evidence)  # fmt: skip


def test_the_gravest_check_first_and_in_it_the_worst(made: Material) -> None:
    items = items_of(made.findings)
    assert [i.check for i in items] == ["exact-duplicates"] * 6 + ["label-errors"] * 4 + ["shortcuts", "quality"]
    scores = [i.score for i in items[:6]]
    assert scores == sorted(scores, reverse=True)


def test_findings_about_one_thing_are_one_item() -> None:
    found = findings(a=[finding("info", 0.1), finding("warning", 0.3), finding(related=B)],
                     b=[finding(sample=B, related=A), finding(sample=A, related=B), finding(sample=None)])
    items = items_of(found)
    assert [(i.check, i.level, len(i.rows)) for i in items] == [
        ("a", "warning", 2), ("a", "info", 1), ("b", "info", 2), ("b", "info", 1),
    ]  # fmt: skip
    assert [len(i.ids) for i in items] == [1, 2, 2, 0]
    assert len({i.about for i in items}) == 4


def test_facts_are_plain_words() -> None:
    facts = dict(facts_of({"message": "m", "splits": ["a"], "score_z": 0.123456, "copies": 12345, "sure": True,
                           "why": None, "sizes": [1, 2], "p": {"a": 0.5}, "long": "x" * 999}))  # fmt: skip
    assert facts.pop("long") == "x" * 299 + "…"
    assert facts == {"score z": "0.1235", "copies": "12,345", "sure": "yes", "sizes": "1, 2", "p": "a: 0.5"}


def test_galleries_that_cannot_be_read_are_left_out() -> None:
    good = {"title": "t", "ids": [A.hex()] * 20}
    assert galleries_of({"galleries": [good]}) == [("t", [A] * 12)]
    for bad in ("x", [1], [{"title": "t"}], [{"title": "t", "ids": ["zz"]}], [{"title": "t", "ids": 3}], None):
        assert galleries_of({"galleries": bad}) == []


def test_evidence_that_is_no_object_is_refused() -> None:
    found = findings(a=[finding()])
    at = found.table.schema.get_field_index("evidence")
    for text in ("[]", "no json"):
        broken = Findings(found.table.set_column(at, found.table.schema.field(at), [[text]]), found.checks)
        with pytest.raises(DataError, match="sightline audit"):
            evidence_of(broken, items_of(broken)[0])


def test_probabilities_that_are_none_are_left_out() -> None:
    assert probabilities_of({"probabilities": {"given": 0, "suggested": 0.5}}) == [0.0, 0.5]
    for bad in (None, [0.1, 0.2], {"given": 0.1}, {"given": "x", "suggested": 1}, {"given": 2, "suggested": 1}):
        assert probabilities_of({"probabilities": bad}) is None
