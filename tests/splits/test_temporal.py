"""Divisions by time: nothing is learnt from what comes later."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import SplitError
from sightline.samples import SampleTable
from sightline.splits import Splits, folds, split
from tests.splits.material import FEW, assigned, promise, reasons, split_or_refuse
from tests.tables import EPOCH, sample, samples_of

DAILY = samples_of([sample(f"s{i}", i % 2, day=i) for i in range(100)], 2)


def days_of(samples: SampleTable, splits: Splits) -> dict[str, list[int]]:
    days: dict[str, list[int]] = {}
    names = assigned(splits)
    for i, time in zip(samples.column("sample_id"), samples.column("time"), strict=True):
        days.setdefault(names[i] or "", []).append((time - EPOCH).days)
    return days


@FEW
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 12), st.integers(0, 15)), min_size=20, max_size=60),
    st.integers(0, 3), st.sampled_from([{}, {"folds": 2, "fold": 1}, {"inner": 2, "inner_fold": 1}]),
)  # fmt: skip
def test_train_ends_an_embargo_before_val_and_val_before_test(
    rows: list[tuple[int, int, int]], embargo: int, way: dict[str, Any]
) -> None:
    samples = samples_of([sample(f"s{i}", c, group=g, day=day) for i, (c, g, day) in enumerate(rows)], 2)
    splits = split_or_refuse(samples, by="time", embargo=f"{embargo}d" if embargo else "", **way)
    if splits is None:
        return
    promise(samples, splits)
    days = days_of(samples, splits)
    assert max(days["train"]) + max(1, embargo) <= min(days["val"])
    assert max(days["val"]) + max(1, embargo) <= min(days["test"])


def test_cuts_near_the_shares() -> None:
    splits = split(DAILY, by="time")
    assert splits.sizes == {"train": 70, "val": 10, "test": 20, "left_out": 0}
    assert splits.how["from"] == {
        "train": "2026-01-01T00:00:00", "val": "2026-03-12T00:00:00", "test": "2026-03-22T00:00:00"}  # fmt: skip
    assert set(reasons(splits).values()) == {
        "time from 2026-01-01T00:00:00 to 2026-03-11T00:00:00", "time from 2026-03-12T00:00:00 to 2026-03-21T00:00:00",
        "time from 2026-03-22T00:00:00 to 2026-04-10T00:00:00",
    }  # fmt: skip


def test_an_embargo_is_taken_from_train_and_told() -> None:
    splits = split(DAILY, by="time", embargo="6d")
    assert splits.sizes == {"train": 60, "val": 10, "test": 20, "left_out": 10}
    assert splits.left_out == {"within the embargo of 6d before val": 5, "within the embargo of 6d before test": 5}
    for days, written in ((6, "6d"), (12, "12d"), (0.5, "12h")):
        asked = split(DAILY, by="time", embargo=timedelta(days=days))
        assert asked.sizes == split(DAILY, by="time", embargo=written).sizes
    there = days_of(DAILY, splits)
    assert (there["train"][-1], there["val"][0], there["val"][-1], there["test"][0]) == (59, 65, 74, 80)


def test_a_moment_is_left_for_every_split() -> None:
    samples = samples_of([sample(f"s{i}", i % 2, day=i // 10) for i in range(30)], 2)
    assert split(samples, by="time", val=0.1, test=0.6).sizes == {"train": 10, "val": 10, "test": 10, "left_out": 0}


def test_what_of_a_group_is_earlier_than_its_part_is_left_out() -> None:
    rows = [sample(f"s{i}", i % 2, day=i, group=i // 2 if i < 90 else f"late {i}") for i in range(100)]
    rows[5] = sample("s5", 1, day=5, group="late 99")
    splits = split(samples_of(rows, 2), by="time", val=0.0)
    assert splits.left_out == {"earlier than test, where its group ends": 1}
    assert days_of(samples_of(rows, 2), splits)[""] == [5]


def test_folds_move_forward_over_an_expanding_window() -> None:
    every = list(folds(DAILY, by="time", folds=4, val=0.25, embargo="3d"))
    days = [days_of(DAILY, splits) for splits in every]
    assert [(d["test"][0], d["test"][-1]) for d in days] == [(20, 39), (40, 59), (60, 79), (80, 99)]
    assert [d["train"][0] for d in days] == [0] * 4
    assert [d["val"][-1] for d in days] == [17, 37, 57, 77]
    assert [len(d["val"]) for d in days] == [5, 10, 15, 20], "val is a share of what lies before the test"
    assert every[0].left_out["later than the test of fold 0 of 4"] == 60


def test_inner_folds_move_val_through_what_lies_before_the_test() -> None:
    days = [days_of(DAILY, splits) for splits in folds(DAILY, by="time", inner=3)]
    assert [(d["val"][0], d["val"][-1]) for d in days] == [(20, 39), (40, 59), (60, 79)]
    assert [d["train"][-1] for d in days] == [19, 39, 59]
    assert all((d["test"][0], d["test"][-1]) == (80, 99) for d in days)


@pytest.mark.parametrize(
    ("samples", "options", "said"),
    [
        (samples_of([sample(f"{i}", i % 2, day=None if i else 3) for i in range(9)], 2), {}, "8 of 9 samples lack"),
        (samples_of([sample(f"{i}", i % 2) for i in range(9)], 2), {}, "no sample has a time"),
        (samples_of([sample(f"{i}", i % 2, day=3) for i in range(9)], 2), {}, "3 distinct times, got 1"),
        (DAILY, {"embargo": "60d"}, "far enough apart for the embargo"),
        (DAILY, {"embargo": "a month"}, "such as 30d, got 'a month'"),
        (DAILY, {"embargo": "30d", "by": "random"}, "needs --by time"),
        (DAILY, {"folds": 100, "fold": 0}, "distinct times"),
        (DAILY, {"folds": 4, "fold": 0, "embargo": "30d"}, "leaves nothing to train on"),
        (DAILY, {"folds": 4, "repeats": 2}, "repeats draws the folds"),
        (samples_of([sample(f"{i}", i % 2, day=-20_454 if i == 4 else i) for i in range(9)], 2), {},
         "a clock that was never set, e.g. 4"),
    ],
)  # fmt: skip
def test_refusals(samples: SampleTable, options: dict[str, Any], said: str) -> None:
    with pytest.raises(SplitError, match=re.escape(said)):
        split(samples, **{"by": "time", **options})
