"""Decisions carried out: a new version of the table with the reasons in it, and nothing else changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.digests import short
from sightline.errors import DataError
from sightline.reviewing.correction import corrected
from sightline.reviewing.decisions import ACTIONS, Decision
from sightline.samples import SCHEMA, SampleTable
from tests.tables import sample, samples_of

DAY = "2026-11-21"


def table() -> SampleTable:
    """Ten samples; 0 and 1 are of one patient, 2 and 3 of another."""
    groups = {0: "p", 1: "p", 2: "q", 3: "q"}
    return samples_of([sample(f"s{i}", i % 3 if i < 9 else None, group=groups.get(i)) for i in range(10)])


def decision(samples: SampleTable, action: str, a: int, b: int | None = None, **known: Any) -> Decision:
    ids = samples.column("sample_id")
    told = {"time": "2026-11-21T12:00:00+00:00", "check": "exact-duplicates", "key": f"s{a}", "who": "ann"}
    return Decision(**{**told, "table": short(samples.digest), "action": action, "sample_id": ids[a],
                       "related_id": None if b is None else ids[b], **known})  # fmt: skip


def changed(before: SampleTable, after: SampleTable) -> dict[str, list[int]]:
    """Column → rows that are others."""
    pairs = {name: zip(before.column(name), after.column(name), strict=True) for name in SCHEMA.names}
    rows = {name: [i for i, (x, y) in enumerate(values) if x != y] for name, values in pairs.items()}
    return {name: found for name, found in rows.items() if found}


def test_a_dropped_sample_keeps_its_row_with_the_reason() -> None:
    before = table()
    done = corrected(before, [decision(before, "drop", 4, 5, why="blurred"), decision(before, "keep", 6)], day=DAY)
    after = done.samples
    assert changed(before, after) == {"status": [4], "reason": [4], "extra": [4]}
    assert after.column("status")[4] == "dropped"
    assert after.column("reason")[4] == "dropped in review (exact-duplicates): blurred"
    assert after.is_dropped.tolist() == [i == 4 for i in range(10)]
    assert not after.is_ok[4]
    assert after.digest != before.digest
    assert (done.dropped, done.kept) == ((before.column("sample_id")[4],), 1)
    assert str(done) == "1 dropped"
    assert after.notes == ("reviewed 2026-11-21: 1 dropped",)
    assert "reviewed 2026-11-21: 1 dropped" in repr(after)
    (record,) = json.loads(after.column("extra")[4])["sightline_review"]
    assert (record["action"], record["who"], record["why"]) == ("drop", "ann", "blurred")
    assert record["with"] == before.column("sample_id")[5].hex()


def test_a_relabelled_sample_keeps_its_former_label_with_its_source() -> None:
    before = table()
    once = corrected(before, [decision(before, "relabel", 4, value="c"), decision(before, "relabel", 9, value="a")],
                     day=DAY).samples  # fmt: skip
    assert changed(before, once) == {"label": [4, 9], "labels": [4], "extra": [4, 9]}
    assert once.column("label")[4] == 2
    assert once.column("labels")[4] == [{"space": "", "id": 1, "state": 1, "score": None, "source": "dataset"}]
    assert (once.column("label")[9], once.column("labels")[9]) == (0, None), "it had no label"
    twice = corrected(once, [decision(once, "relabel", 4, value="a")], day=DAY).samples
    assert [(e["id"], e["source"]) for e in twice.column("labels")[4]] == [(1, "dataset"), (2, "review")]
    assert len({before.digest, once.digest, twice.digest}) == 3


def test_merged_samples_bring_their_groups_together() -> None:
    before = table()
    done = corrected(before, [decision(before, "merge-group", 1, 2), decision(before, "merge-group", 5, 6)], day=DAY)
    after = done.samples
    assert changed(before, after) == {
        "group_id": [0, 1, 2, 3, 5, 6], "groups": [1, 2, 5, 6], "extra": [1, 2, 5, 6],
    }  # fmt: skip
    ids = after.column("group_id")
    assert len(set(ids[:4])) == 1
    assert ids[5] == ids[6] == "review:s5"
    assert len(set(ids)) == 2 + 4
    assert after.column("groups")[1] == [{"kind": "patient", "id": "p"}, {"kind": "review", "id": "s1"}]
    assert len(done.merged) == 4
    assert str(done) == "4 put into groups"


def test_merges_meet_in_one_group() -> None:
    before = table()
    pairs = [(7, 8), (5, 6), (6, 7)]
    after = corrected(before, [decision(before, "merge-group", a, b) for a, b in pairs], day=DAY).samples
    assert set(after.column("group_id")[5:9]) == {"review:s5"}
    assert [g[-1] for g in after.column("groups")[5:9]] == [{"kind": "review", "id": "s5"}] * 4


def test_pairs_of_which_nothing_is_left_are_told() -> None:
    before = table()
    said = [decision(before, "drop", 4, 5), decision(before, "drop", 5, 4, check="near-duplicates"),
            decision(before, "drop", 6, 7)]  # fmt: skip
    assert corrected(before, said, day=DAY).lost_pairs == (("s4", "s5"),)


def test_what_was_in_extra_stays() -> None:
    row = sample("a", 0) | {"extra": json.dumps({"question": "what?"})}
    before = samples_of([row, sample("b", 1)])
    after = corrected(before, [decision(before, "drop", 0)], day=DAY).samples
    assert json.loads(after.column("extra")[0])["question"] == "what?"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ([("keep", 1, {})], "None of the 1 decisions"),
        ([("drop", 1, {"table": "another"})], "were made on the samples another"),
        ([("drop", 1, {"sample_id": bytes(16)})], "names the sample 0{32}, which made does not have. Was its line"),
        ([("merge-group", 1, {"related_id": bytes(16)})], "names the sample 0{32}, which"),
        ([("relabel", 1, {"value": "dog"})], "'dog', which made does not have"),
        ([("relabel", 1, {"value": "a"}), ("relabel", 1, {"value": "c", "check": "x"})], "two classes, a and c"),
        ([("relabel", 1, {"value": "b"})], "so already"),
        ([("merge-group", 1, {})], "names no pair"),
        ([("drop", 1, {"sample_id": None})], "names no sample"),
    ],
)
def test_what_cannot_be_carried_out_is_refused(said: list[tuple[str, int, dict[str, Any]]], why: str) -> None:
    before = table()
    with pytest.raises(DataError, match=why):
        corrected(before, [decision(before, action, row, **known) for action, row, known in said], day=DAY)


def test_a_sample_that_goes_may_have_had_two_new_labels() -> None:
    before = table()
    said = [decision(before, "relabel", 4, value="c"), decision(before, "drop", 4, check="quality")]
    done = corrected(before, said, day=DAY)
    assert (len(done.dropped), done.relabelled) == (1, ())
    assert done.samples.column("label")[4] == before.column("label")[4]


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 9), st.integers(0, 9), st.sampled_from("abc"),
                          st.sampled_from(["x", "y"])), min_size=1, max_size=12))  # fmt: skip
def test_any_decisions_change_what_they_say_and_no_more(said: list[tuple[str, int, int, str, str]]) -> None:
    before = table()
    made = [decision(before, action, a, b if a != b else None, check=check, value=value if action == "relabel" else "")
            for action, a, b, value, check in said if action != "merge-group" or a != b]  # fmt: skip
    try:
        after = corrected(before, made, day=DAY).samples
    except DataError:
        return
    assert len(after) == len(before)
    assert after.column("sample_id") == before.column("sample_id")
    asked = {i for d in made for i in (d.sample_id, d.related_id) if i is not None}
    ids = before.column("sample_id")
    touched = changed(before, after)
    assert {ids[i] for name, rows in touched.items() if name != "group_id" for i in rows} <= asked
    assert set(touched) <= {"status", "reason", "label", "labels", "groups", "group_id", "extra"}
    for a in range(10):  # groups only grow together
        for b in range(10):
            if before.column("group_id")[a] == before.column("group_id")[b]:
                assert after.column("group_id")[a] == after.column("group_id")[b]
