"""A review under way: what it tells, what it writes down, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sightline.digests import short
from sightline.errors import DataError, DecodeError
from sightline.reviewing.decisions import Journal, read_decisions
from sightline.reviewing.session import SEALED, Session
from sightline.reviewing.session import Material as Reviewed
from tests.reviewing.material import HOSTILE, Material

Begin = Callable[..., Session]


@pytest.fixture
def begin(made: Material) -> Iterator[Begin]:
    journals: list[Journal] = []

    def new(**changes: bool) -> Session:
        for journal in journals:
            journal.close()
        journals.append(Journal(made.study.decisions_path))
        return Session(Reviewed(samples=made.samples, findings=made.findings, splits=made.splits, **changes),
                       journals[-1])  # fmt: skip

    yield new
    for journal in journals:
        journal.close()


def test_the_overview_counts_and_names(begin: Begin, made: Material) -> None:
    told = begin().overview()
    assert json.loads(json.dumps(told)) is not None
    assert [c["name"] for c in told["checks"]] == ["exact-duplicates", "label-errors", "shortcuts", "quality"]
    assert told["checks"][0]["looks_for"].startswith("images with equal pixels")
    assert told["quiet"] == ["class-balance"]
    assert told["items"][0] == [0, 0, None]
    assert told["items"][-1] == [3, 2, None]
    assert [c["id"] for c in told["classes"]] == sorted(["bright", "dark", HOSTILE])
    assert told["sealed"] is True
    assert begin(is_test_open=True).overview()["sealed"] is False


def test_an_item_tells_what_a_person_needs(begin: Begin, made: Material) -> None:
    pair = begin().item(0)
    assert pair["messages"] == ["same pixels, in train and test"]
    assert pair["facts"] == [("copies", "2"), ("angle", "0.1235"), ("flipped", "yes")]
    left, right = pair["samples"]
    assert (left["key"], left["split"], left["class"]) == ("train/bright/000.jpg", "train", "bright")
    assert left["sealed"] is False
    assert dict(left["facts"])["size"] == "40 × 32"
    assert (right["row"], right["why_not"], right["sealed"]) == (None, SEALED, True)
    assert pair["actions"] == ["keep", "drop", "relabel", "merge-group"]
    label = begin().item(6)
    assert label["suggested"] == {"id": "bright", "title": "bright", "probabilities": [0.02, 0.9]}
    assert "merge-group" not in label["actions"]
    single = begin().item(11)
    assert single["messages"] == ["dark", "blurred"]
    assert single["actions"] == ["keep", "drop", "relabel"]


def test_galleries_keep_the_test_sealed(begin: Begin) -> None:
    told = begin().item(10)
    with_it, without_it = told["galleries"]
    assert with_it["title"] == f"with it: {HOSTILE}"
    assert all(s["row"] is not None for s in with_it["samples"])
    assert all((s["row"], s["why_not"]) == (None, SEALED) for s in without_it["samples"])
    assert told["actions"] == ["keep"]
    opened = begin(is_test_open=True).item(10)["galleries"][1]["samples"]
    assert all(s["row"] is not None for s in opened)


def test_pictures_of_a_sealed_test_are_not_given(begin: Begin, made: Material) -> None:
    row = made.samples.column("key").index("test/bright/000.jpg")
    with pytest.raises(DecodeError, match="sealed"):
        begin().picture(row, 256)
    assert begin(is_test_open=True).picture(row, 256)[1] == "image/png"
    for bad in ((len(made.samples), 256), (-1, 256), (0, 100_000)):
        with pytest.raises(DecodeError, match="no such picture"):
            begin().picture(*bad)


def test_a_decision_is_written_with_all_that_explains_it(begin: Begin, made: Material) -> None:
    session = begin()
    told = session.decide(0, "drop", target=0, why=" worse copy\n")
    assert told["decision"]["said"] == "dropped"
    assert session.num_decided == 1
    (d,) = read_decisions(made.study.decisions_path)
    a, b = made.id_of("train/bright/000.jpg"), made.id_of("test/bright/000.jpg")
    assert (d.check, d.action, d.key) == ("exact-duplicates", "drop", "train/bright/000.jpg")
    assert (d.sample_id, d.related_id) == (a, b)
    assert (d.table, d.why) == (short(made.samples.digest), "worse copy")
    assert session.item(0)["decision"]["sample"] == a.hex()


def test_the_other_one_of_a_pair(begin: Begin, made: Material) -> None:
    begin(is_test_open=True).decide(0, "drop", target=1)
    (d,) = read_decisions(made.study.decisions_path)
    assert (d.sample_id, d.related_id) == (made.id_of("test/bright/000.jpg"), made.id_of("train/bright/000.jpg"))
    assert d.key == "test/bright/000.jpg"


def test_another_session_goes_on(begin: Begin) -> None:
    first = begin()
    first.decide(0, "keep")
    first.decide(6, "relabel", value=HOSTILE)
    second = begin()
    assert second.num_decided == 2
    assert [item[2] for item in second.overview()["items"]].count(None) == 10
    assert second.item(6)["decision"]["said"] == f"relabelled as {HOSTILE}"


def test_undo_goes_back_one_by_one_over_sessions(begin: Begin) -> None:
    session = begin()
    session.decide(0, "keep")
    session.decide(1, "drop")
    session.decide(0, "merge-group")
    undone = session.undo()
    assert undone is not None
    assert (undone["n"], undone["decision"]["action"]) == (0, "keep")
    session = begin()
    assert [u["n"] for u in (session.undo(), session.undo()) if u is not None] == [1, 0]
    assert session.undo() is None
    assert session.num_decided == 0
    assert begin().num_decided == 0


def test_what_was_decided_elsewhere_is_told(begin: Begin, made: Material) -> None:
    session = begin(is_test_open=True)
    assert session.item(4)["samples"][1]["elsewhere"] == []
    session.decide(0, "drop", target=1)
    assert session.item(4)["samples"][1]["key"] == "test/bright/000.jpg"
    assert session.item(4)["samples"][1]["elsewhere"] == ["dropped in exact-duplicates"]
    assert session.item(0)["samples"][1]["elsewhere"] == []


def test_what_cannot_be_decided_is_refused(begin: Begin, made: Material) -> None:
    session = begin()
    refused = [
        (lambda: session.decide(10, "drop"), "cannot be answered with 'drop'; it can with keep"),
        (lambda: session.decide(11, "merge-group"), "cannot be answered"),
        (lambda: session.decide(0, "burn"), "cannot be answered"),
        (lambda: session.decide(0, "drop", target=2), "has 2 samples"),
        (lambda: session.decide(0, "drop", target=1), "sealed test"),
        (lambda: session.decide(0, "relabel", target=1, value="dark"), "sealed test"),
        (lambda: session.decide(0, "relabel", value="cow"), "no class 'cow'"),
        (lambda: session.decide(0, "relabel", value="bright"), "already"),
        (lambda: session.decide(99, "keep"), "no finding number 99"),
        (lambda: session.item(-1), "no finding number -1"),
    ]
    for ask, said in refused:
        with pytest.raises(DataError, match=said):
            ask()
    assert read_decisions(made.study.decisions_path) == ()


def test_findings_and_decisions_of_other_samples_are_refused(begin: Begin, made: Material, tmp_path: Path) -> None:
    other = made.samples.take(range(20))
    with pytest.raises(DataError, match="sightline audit"):
        Reviewed(samples=other, findings=made.findings)
    with pytest.raises(DataError, match="sightline split"):
        Reviewed(samples=other, findings=replace(made.findings, about={"samples": other.digest}), splits=made.splits)
    session = begin()
    session.decide(0, "keep")
    session = begin()
    d = read_decisions(made.study.decisions_path)[0]
    with Journal(tmp_path / "other.csv") as journal:
        journal.append(replace(d, table="another"))
        with pytest.raises(DataError, match="decisions on the samples another"):
            Session(Reviewed(samples=made.samples, findings=made.findings), journal)


def test_without_splits_the_official_ones_are_named(made: Material) -> None:
    reviewed = Reviewed(samples=made.samples, findings=made.findings)
    assert set(reviewed.assigned.tolist()) == {"train", "val", "test"}
    assert reviewed.is_sealed(made.samples.column("key").index("test/dark/000.jpg"))
