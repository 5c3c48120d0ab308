"""What near duplicates mean for the splits: levels, which pairs are told, and what counts as a leak."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.audits import Evidence, Findings
from sightline.audits.near_duplicates import near_duplicates
from sightline.similarity import NearPairs
from tests.tables import sample, samples_of

SOME = settings(max_examples=25, deadline=None)
RANK = {"train": 0, "val": 1, "test": 2}

Pair = tuple[int, int, float]


def found_of(homes: Sequence[tuple[str | None, int | None, str]], *pairs: Pair) -> tuple[Findings, list[bytes]]:
    """Findings for samples (split, label, name of the picture) that look alike in these pairs; and the samples' ids."""
    samples = samples_of([sample(f"s{i:02d}", c, split=s, pixels=p) for i, (s, c, p) in enumerate(homes)], 2)
    evidence = Evidence(samples, None)
    a, b, score = (np.array(v) for v in zip(*pairs, strict=True)) if pairs else (np.empty(0, int),) * 3
    evidence.__dict__["near_pairs"] = NearPairs.of(len(homes), a, b, score)
    return Findings.of([("near-duplicates", near_duplicates(evidence))], {}), samples.column("sample_id")


def told(findings: Findings) -> list[dict[str, Any]]:
    return [{**r, **json.loads(r["evidence"])} for r in findings.table.to_pylist()]


def test_levels() -> None:
    homes = [("train", 0, "a"), ("test", 0, "b"), ("train", 0, "c"), ("val", 0, "d"), ("train", 0, "e"),
             ("train", 0, "f"), ("train", 0, "g"), ("train", 1, "h")]  # fmt: skip
    found, ids = found_of(homes, (1, 0, 0.99), (2, 3, 0.98), (4, 5, 0.97), (7, 6, 0.96))
    assert [(r["level"], r["message"], r["certain"]) for r in told(found)] == [
        ("error", "the same photograph, in train and test", True),
        ("warning", "the same photograph, in train and val", True),
        ("info", "the same photograph", True),
        ("error", "the same photograph, labelled a and b", True),
    ]
    first = told(found)[0]
    assert (first["sample_id"], first["related_id"], first["related"]) == (ids[0], ids[1], "s01")
    assert found.leaks() == (ids[0], ids[2])
    assert found.leaked_test_ids() == (ids[1],)


def test_different_labels_of_a_pair_that_is_not_beyond_doubt_are_a_warning() -> None:
    found, _ = found_of([("train", 0, "a"), ("train", 1, "b")], (0, 1, 0.6))
    assert [r["level"] for r in told(found)] == ["warning"]


def test_possible_pairs_are_no_leaks() -> None:
    found, _ = found_of([("train", 0, "a"), ("test", 0, "b")], (0, 1, 0.3))
    (row,) = told(found)
    assert (row["level"], row["certain"], row["between"], row["subject"]) == ("info", False, ["train", "test"], "s00")
    assert "look at both" in row["message"]
    assert found.leaks() == found.leaked_test_ids() == ()


def test_equal_pixels_are_left_to_the_other_check() -> None:
    found, _ = found_of([("train", 0, "a"), ("test", 0, "a"), ("train", 0, "b")], (0, 1, 1.0), (1, 2, 0.9))
    (row,) = told(found)
    assert (row["subject"], row["related"], row["copies"]) == ("s02", "s01", 3)


def test_copy_of_a_copy_leaks_too() -> None:
    homes = [("train", 0, "a"), ("train", 0, "b"), ("test", 0, "c")]
    found, ids = found_of(homes, (0, 1, 0.99), (1, 2, 0.98))
    rows = {(r["subject"], r["related"]): r for r in told(found)}
    assert set(rows) == {("s01", "s02"), ("s00", "s02")}
    through = rows["s00", "s02"]
    assert (through["level"], through["message"]) == ("error", "a copy of a copy, in train and test")
    assert set(found.leaks()) == {ids[0], ids[1]}


def test_samples_outside_the_splits_are_in_no_leak() -> None:
    found, _ = found_of([(None, 0, "a"), ("test", 0, "b")], (0, 1, 0.99))
    assert [r["level"] for r in told(found)] == ["info"]
    assert found.leaks() == ()


@SOME
@given(st.lists(st.sampled_from(["train", "val", "test", None]), min_size=2, max_size=9), st.data())
def test_every_leak_is_told_and_no_pair_twice(homes: list[str | None], data: st.DataObject) -> None:
    rows = st.integers(0, len(homes) - 1)
    drawn = data.draw(st.lists(st.tuples(rows, rows, st.sampled_from([0.2, 0.6, 0.95])), max_size=12))
    best: dict[frozenset[int], float] = {}
    for a, b, s in drawn:
        if a != b:
            best[frozenset((a, b))] = max(s, best.get(frozenset((a, b)), 0))
    pairs = [(min(p), max(p), s) for p, s in best.items()]
    found, ids = found_of([(s, 0, f"p{i}") for i, s in enumerate(homes)], *pairs)
    shown = [frozenset((r["sample_id"], r["related_id"])) for r in told(found)]
    assert len(shown) == len(set(shown))
    sure = [(a, b) for a, b, s in pairs if s >= 0.5]
    lower = {ids[a] if RANK[str(homes[a])] < RANK[str(homes[b])] else ids[b] for a, b in sure
             if homes[a] is not None and homes[b] is not None and homes[a] != homes[b]}  # fmt: skip
    assert lower <= set(found.leaks())
    doubtful = {frozenset((ids[a], ids[b])) for a, b, s in pairs if s < 0.5}
    assert doubtful == {frozenset((r["sample_id"], r["related_id"])) for r in told(found) if not r["certain"]}
    touched = {ids[i] for pair in sure for i in pair}
    assert touched == {i for r in told(found) if r["certain"] for i in (r["sample_id"], r["related_id"])}
