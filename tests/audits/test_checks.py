"""The checks: what each finds, what it leaves alone, and a promise that holds for all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import sightline as sl
from sightline.audits import CHECKS, LEVELS, SCHEMA, Findings, audit
from sightline.errors import DataError
from sightline.samples import SampleTable, sample_id_of
from sightline.splits import split
from tests.sources import encoded, write_files
from tests.tables import plain_samples, sample, samples_of

FEW = settings(max_examples=40, deadline=None)


def copies(*homes: tuple[str | None, int, str]) -> SampleTable:
    """Twelve unrelated samples a class and official split, and copies: (split, label, name of the picture)."""
    rows = [sample(f"{s}/{c}/{i}", c, split=s) for s in ("train", "val", "test") for c in (0, 1) for i in range(12)]
    rows += [sample(f"copy{i}", c, split=s, pixels=p) for i, (s, c, p) in enumerate(homes)]
    return samples_of(rows, 2)


def rows_of(findings: Findings, check: str) -> list[dict[str, Any]]:
    rows = [r for r in findings.table.to_pylist() if r["check"] == check]
    return [{**r, **json.loads(r["evidence"])} for r in rows]


def copy(i: int) -> bytes:
    return sample_id_of("", f"copy{i}")


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.name)
def test_clean_data_has_no_finding(check: Any) -> None:
    samples = plain_samples([40, 40, 40])
    assert len(audit(samples, split(samples), checks=[check.name])) == 0
    assert len(audit(samples, checks=[check.name])) == 0


OF_TABLES = ("exact-duplicates", "class-balance", "class-counts", "unreadable", "groups-across-splits", "time-order")
"""Checks that need no picture, so that a made-up table can break for them all; the others have tests of their own."""


@pytest.mark.parametrize("check", [c for c in CHECKS if c.name in OF_TABLES], ids=lambda c: c.name)
def test_every_check_fills_the_table(check: Any) -> None:
    """A broken set in which each check has something to say."""
    broken = [("train", 0, "p"), ("test", 1, "p")]
    samples = copies(*broken, *[("train", 0, f"more{i}") for i in range(90)])
    rows = [*samples.table.to_pylist(), sample("bad", 0, split="test", status="unreadable"),
            *(sample(f"rare{i}", 2, split="train") for i in range(3)),
            sample("early", 0, split="test", group=1, day=1),
            sample("late", 0, split="train", group=1, day=2)]  # fmt: skip
    found = audit(samples_of(rows, 3), checks=[check.name])
    assert found.checks == (check.name,)
    assert found.table.schema == SCHEMA
    assert len(found) > 0
    for row in rows_of(found, check.name):
        assert row["level"] in LEVELS
        assert 0 <= row["score"] <= 1
        assert row["subject"]
        assert row["message"]
        assert row["related_id"] is None or row["sample_id"] is not None


def test_copies_across_splits() -> None:
    samples = copies(("train", 0, "a"), ("test", 0, "a"), ("train", 0, "b"), ("val", 0, "b"), *[("train", 0, "c")] * 2)
    found = audit(samples)
    rows = rows_of(found, "exact-duplicates")
    assert [(r["level"], r["sample_id"], r["related_id"], r["splits"]) for r in rows] == [
        ("error", copy(0), copy(1), ["train", "test"]),
        ("warning", copy(2), copy(3), ["train", "val"]),
        ("info", copy(5), copy(4), ["train", "train"]),
    ]
    assert rows[0]["message"] == "same pixels, in train and test"
    assert (rows[0]["subject"], rows[0]["related"], rows[0]["score"]) == ("copy0", "copy1", 1.0)
    assert found.leaks() == (copy(0), copy(2))
    assert found.leaked_test_ids() == (copy(1),)


def test_copies_under_different_labels_are_an_error_within_a_split_too() -> None:
    (row,) = rows_of(audit(copies(("train", 0, "a"), ("train", 1, "a"))), "exact-duplicates")
    assert row["level"] == "error"
    assert row["message"] == "same pixels, labelled b and a"


def test_unlabelled_copies_do_not_conflict() -> None:
    rows = [*copies(("train", 0, "a")).table.to_pylist(), sample("x", None, split="train", pixels="a")]
    (row,) = rows_of(audit(samples_of(rows, 2)), "exact-duplicates")
    assert row["level"] == "info"


@FEW
@given(st.lists(st.tuples(st.sampled_from(["train", "val", "test", None]), st.integers(0, 3)), max_size=25))
def test_every_leak_is_told_once(homes: list[tuple[str | None, int]]) -> None:
    samples = copies(*((s, 0, f"p{p}") for s, p in homes))
    found = audit(samples, checks=["exact-duplicates"])
    pairs = [frozenset((r["sample_id"], r["related_id"])) for r in found.table.to_pylist()]
    assert all(len(p) == 2 for p in pairs)
    assert len(pairs) == len(set(pairs)), "one row for an unordered pair"
    clusters = {p: [s for s, q in homes if q == p] for _, p in homes}
    assert len(pairs) == sum(len(c) - 1 for c in clusters.values())
    rank = {"train": 0, "val": 1, "test": 2}
    leaks = {copy(i) for i, (s, p) in enumerate(homes)
             if s in rank and any(rank.get(o, -1) > rank[s] for o in clusters[p] if o)}  # fmt: skip
    tested = {copy(i) for i, (s, p) in enumerate(homes) if s == "test" and {"train", "val"} & set(clusters[p])}
    assert set(found.leaks()) == leaks
    assert set(found.leaked_test_ids()) == tested


def test_leaving_the_leaks_out_closes_them() -> None:
    rows = [sample(f"{s}{c}{i}", c, split=s, pixels=f"{c}{i}")
            for s in ("train", "test") for c in (0, 1) for i in range(30)]  # fmt: skip
    rows += [sample(f"alone{c}{i}", c, split="train") for c in (0, 1) for i in range(20)]
    samples = samples_of(rows, 2)
    splits = split(samples)
    leaks = audit(samples, splits).leaks()
    assert len(leaks) == 60
    cleaned = splits.without(leaks)
    after = audit(samples, cleaned)
    assert after.leaks() == ()
    assert after.leaked_test_ids() == ()
    assert cleaned.test == splits.test


def test_class_counts() -> None:
    rows = [sample(f"{s}{c}{i}", c, split=s) for c, homes in enumerate((
        {"train": 20, "test": 5}, {"train": 20}, {"train": 4, "test": 5}, {}, {"test": 3}, {"train": 1, "test": 5},
    )) for s, n in homes.items() for i in range(n)]  # fmt: skip
    found = rows_of(audit(samples_of(rows, 6), checks=["class-counts"]), "class-counts")
    assert [(r["subject"], r["level"], r["message"]) for r in found] == [
        ("b", "warning", "none in test: nothing is measured for it there"),
        ("c", "warning", "4 samples to learn from"),
        ("d", "warning", "no labelled sample at all: it can only be answered wrongly"),
        ("e", "error", "none in train, 3 in test"),
        ("f", "warning", "1 sample to learn from"),
    ]
    assert found[1]["sample_id"] is None
    assert (found[1]["train"], found[1]["test"]) == (4, 5)


@pytest.mark.parametrize(
    ("counts", "level"),
    [((40, 40), None), ((110, 40), None), ((130, 40), "info"), ((500, 40), "warning")],
    ids=["even", "a little", "uneven", "imbalanced"],
)
def test_balance(counts: tuple[int, int], level: str | None) -> None:
    found = rows_of(audit(plain_samples(counts), checks=["class-balance"]), "class-balance")
    assert [r["level"] for r in found] == ([] if level is None else [level])
    if level == "warning":
        assert found[0]["message"] == ("a has 500 samples in all, b has 40: 12.5 to 1. Always answering a is right in "
                                       "92.6 % of cases; look at accuracy by class.")  # fmt: skip


def test_shifted_classes() -> None:
    rows = [sample(f"{s}{c}{i}", c, split=s) for s, counts in (("train", (100, 100)), ("test", (90, 30)))
            for c, n in enumerate(counts) for i in range(n)]  # fmt: skip
    (row,) = rows_of(audit(samples_of(rows, 2), checks=["class-balance"]), "class-balance")
    assert (row["level"], row["split"]) == ("warning", "test")
    assert row["total_variation"] == pytest.approx(0.25)
    few = [sample(f"{s}{c}{i}", c, split=s) for s, counts in (("train", (100, 100)), ("test", (3, 1)))
           for c, n in enumerate(counts) for i in range(n)]  # fmt: skip
    assert len(audit(samples_of(few, 2), checks=["class-balance"])) == 0, "four samples show no shift"


def test_unreadable() -> None:
    rows = [*plain_samples([12, 12]).table.to_pylist(), sample("bad", 0, status="unreadable")]
    samples = samples_of(rows, 2)
    (row,) = rows_of(audit(samples, split(samples)), "unreadable")
    assert (row["subject"], row["sample_id"], row["level"]) == ("bad", sample_id_of("", "bad"), "warning")
    assert row["message"].startswith("damaged; ")


def test_samples_of_several_classes_are_counted_for_each() -> None:
    entry = {"space": "", "state": 1, "source": "dataset"}
    rows = [{**sample(f"{i}", None), "labels": [{**entry, "id": 0}, *([{**entry, "id": 1}] if i < 5 else [])]}
            for i in range(60)]  # fmt: skip
    found = audit(samples_of(rows, 3))
    assert [(r["subject"], r["message"]) for r in rows_of(found, "class-counts")] == [
        ("b", "5 samples to learn from"), ("c", "no labelled sample at all: it can only be answered wrongly")]
    (row,) = rows_of(found, "class-balance")
    assert row["message"] == "a has 60 samples in all, b has 5: 12.0 to 1. Look at each class by itself."


@pytest.mark.filterwarnings("error")
def test_where_all_images_are_blank_that_is_all_that_is_said(tmp_path: Path) -> None:
    files = {f"c{i % 2}/{i}.png": encoded(Image.new("L", (32, 32), 5 * i), "PNG") for i in range(40)}
    (row,) = audit(sl.index(write_files(tmp_path, files))).table.to_pylist()
    assert (row["check"], row["subject"], row["level"]) == ("quality", "blank", "info")


def test_unknown_check_and_foreign_splits() -> None:
    samples = plain_samples([20, 20])
    with pytest.raises(DataError, match="Did you mean 'class-counts'"):
        audit(samples, checks=["class-count"])
    with pytest.raises(DataError, match="made for other samples"):
        audit(plain_samples([21, 20]), split(samples))


def test_what_there_is_nothing_to_look_into_for_is_not_said_to_have_found_nothing() -> None:
    ran = sl.audit(plain_samples([20, 20])).checks
    assert ran == tuple(c.name for c in CHECKS if c.name not in {"normalization", "shortcut-effect"})
    assert sl.audit(plain_samples([20, 20]), checks=["shortcut-effect"]).checks == ("shortcut-effect",)


NOTHING = [([], []), (["quality"], ["quality"]), (None, [c.name for c in CHECKS])]


@pytest.mark.parametrize(("checks", "without"), NOTHING)
def test_an_audit_without_any_check_is_refused(checks: list[str] | None, without: list[str]) -> None:
    """It would say that nothing was found, and the command would write that over what had been found."""
    samples = plain_samples([40, 40, 40])
    with pytest.raises(DataError, match="No check is left to run"):
        audit(samples, checks=checks, without=without)
