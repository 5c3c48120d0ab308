"""`split`: official splits, shares, groups and growth; and what is said when a promise cannot be kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sightline as sl
from sightline.errors import DataError, SplitError
from sightline.samples import SampleTable
from sightline.splits import Request, split
from tests.splits.material import FEW, assigned, promise, reasons, split_or_refuse, tables
from tests.tables import plain_samples, sample, samples_of


@FEW
@given(tables(min_size=30), st.integers(0, 5))
def test_stratified_needs_no_luck(samples: SampleTable, seed: int) -> None:
    """A class of which there is a sample is in train, whatever the groups: only emptiness is refused."""
    try:
        promise(samples, split(samples, by="stratified", seed=seed))
    except SplitError as e:
        if "empty" not in str(e):
            raise


GROWING: list[dict[str, Any]] = [
    {"val": 0.2, "test": 0.3}, {"val": 0.2, "folds": 3, "fold": 1}, {"folds": 2, "inner": 2, "inner_fold": 1}
]  # fmt: skip


@FEW
@given(tables(min_size=40), st.integers(0, 60), st.integers(0, 3), st.sampled_from(GROWING))
def test_growth_moves_no_sample_of_a_hash_split(samples: SampleTable, cut: int, seed: int, way: dict[str, Any]) -> None:
    small = samples.take(range(min(max(cut, 12), len(samples))))
    before, after = (split_or_refuse(s, by="hash", seed=seed, **way) for s in (small, samples))
    if before is None or after is None:
        return
    now = assigned(after)
    for i, name in assigned(before).items():
        # A new copy in another split can push an old copy out of train or val, never into another split.
        assert now[i] == name or now[i] is None
        assert now[i] == name or name in {"train", "val", None}


@FEW
@given(st.lists(st.integers(1, 60), min_size=2, max_size=8), st.sampled_from([(0.1, 0.2), (0.05, 0.5), (0.0, 0.3)]))
def test_classes_keep_their_shares(counts: list[int], shares: tuple[float, float]) -> None:
    val, test = shares
    samples = plain_samples(counts)
    splits = split_or_refuse(samples, by="stratified", val=val, test=test)
    if splits is None:
        return
    labels, names = samples.labels, np.array(splits.table["split"].to_pylist(), object)
    for name, share in (("val", val), ("test", test)):
        wanted = np.ceil(share * sum(counts) - 1e-9)
        spare = sum(n == 1 for n in counts)  # a class of one sample stays in train, whatever the shares
        assert wanted - spare - 1 <= (names == name).sum() <= wanted + 1
        for c, n in enumerate(counts):
            exact = wanted / sum(counts) * n
            assert abs(((labels == c) & (names == name)).sum() - exact) < 1 + 1e-9


def test_groups_of_one_size_are_drawn_exactly() -> None:
    rows = [sample(f"{c}/{g}/{i}", c, group=f"{c}-{g}") for c in range(3) for g in range(20) for i in range(5)]
    splits = split(samples_of(rows), val=0.1, test=0.2)
    assert splits.how["by"] == "group"
    assert splits.sizes == {"train": 210, "val": 30, "test": 60, "left_out": 0}


def test_a_val_that_every_group_overfills_gets_one() -> None:
    """Two samples of each class are wanted, and the groups have four: none of them fits, and val must not be empty."""
    rows = [sample(f"{g}/{i}", g % 2, group=g) for g in range(10) for i in range(4)]
    assert split(samples_of(rows, 2), val=0.1, test=0.2).sizes["val"] == 4
    alone = [sample(f"{g}/{i}", g % 2, group=g) for g in range(2) for i in range(4)]
    with pytest.raises(SplitError, match="leave val and test empty"):
        split(samples_of(alone, 2))


def test_large_groups_reach_test_too() -> None:
    """Sending the largest groups to train first, always, would test on small groups alone."""
    rows = [sample(f"{g}/{i}", i % 2, group=g) for g in range(12) for i in range(20 if g < 4 else 4)]
    samples = samples_of(rows, 2)
    homes = [assigned(split(samples, seed=s))[samples.column("sample_id")[0]] for s in range(12)]
    assert {"train", "test"} <= set(homes)


@FEW
@given(tables(min_size=40), st.sampled_from(["stratified", "hash"]), st.integers(2, 4))
def test_folds_partition_the_data(samples: SampleTable, by: str, folds: int) -> None:
    parts = [split_or_refuse(samples, by=by, folds=folds, fold=k) for k in range(folds)]
    whole = [p for p in parts if p is not None]
    if len(whole) < folds:
        return
    tested = [i for p in whole for i, n in assigned(p).items() if n == "test"]
    assert len(tested) == len(set(tested))
    labelled = {i for i, y in zip(samples.column("sample_id"), samples.column("label"), strict=True) if y is not None}
    left_out = {i for p in whole for i, n in assigned(p).items() if n is None and i in labelled}
    assert labelled - left_out <= set(tested)
    assert by == "hash" or set(tested) == labelled
    for k, p in enumerate(whole):
        promise(samples, p)
        assert (p.folds, p.how["fold"]) == (folds, k)
    assert len({p.test.fingerprint for p in whole if p.test}) == 1, "the folds of a plan are one look at all of it"
    assert len({p.test.fold.plan for p in whole if p.test and p.test.fold}) == 1


def test_every_class_is_spread_over_folds() -> None:
    samples = plain_samples([50, 7, 2])
    for k in range(2):
        splits = split(samples, by="stratified", folds=2, fold=k, val=0.0)
        names = np.array(splits.table["split"].to_pylist())
        counts = np.bincount(samples.labels[names == "test"])
        assert counts.tolist() in ([25, 3, 1], [25, 4, 1])


def test_random_knows_no_class() -> None:
    samples, counts = plain_samples([50, 50]), set()
    for seed in range(8):
        names = np.array(split(samples, by="random", seed=seed).table["split"].to_pylist())
        counts.add(tuple(np.bincount(samples.labels[names == "test"]).tolist()))
    assert {a + b for a, b in counts} == {20}
    assert len(counts) > 3


def test_reasons_say_where_from() -> None:
    samples = plain_samples([30, 30])
    assert set(reasons(split(samples, by="random", seed=7)).values()) == {"drawn at random, seed 7"}
    of_fold = split(samples, by="stratified", folds=3, fold=1, inner=2)
    assert set(reasons(of_fold).values()) == {
        "fold 1 of 3", *(f"fold {f} of 3, inner fold {i} of 2" for f in (0, 2) for i in (0, 1))}  # fmt: skip
    assert {why for i, why in reasons(of_fold).items() if assigned(of_fold)[i] == "val"} == {
        "fold 0 of 3, inner fold 0 of 2", "fold 2 of 3, inner fold 0 of 2"}  # fmt: skip
    assert set(reasons(split(official(20, 0, 5))).values()) == {
        "official train", "official train, drawn by class, seed 0", "official test"}  # fmt: skip


def test_inner_folds_of_an_official_train() -> None:
    samples = official(20, 0, 5)
    every = [split(samples, inner=4, inner_fold=j) for j in range(4)]
    assert {s.test for s in every} == {split(samples).test}
    assert sorted(i for s in every if s.val for i in s.val.ids) == sorted(split(samples, val=0.0).train.ids)


@pytest.mark.parametrize("seed", range(8))
def test_train_has_a_group_of_every_class_however_small_its_share(seed: int) -> None:
    rows = [sample(f"{c}/{g}/{i}", c, group=f"{c}-{g}") for c in range(4) for g in range(2) for i in range(5)]
    splits = split(samples_of(rows, 4), seed=seed, val=0.0, test=0.8)
    assert splits.sizes == {"train": 20, "val": 0, "test": 20, "left_out": 0}


def official(train: int = 20, val: int = 0, test: int = 0, label_of_test: int | None = 0) -> SampleTable:
    rows = [sample(f"{s}/{c}/{i}", c if s != "test" or label_of_test is not None else None, split=s)
            for s, n in (("train", train), ("val", val), ("test", test)) for c in (0, 1) for i in range(n)]  # fmt: skip
    return samples_of(rows, 2)


@pytest.mark.parametrize(
    ("samples", "options", "sizes"),
    [
        (official(20, 5, 5), {}, (40, 10, 10)),
        (official(20, 0, 5), {}, (36, 4, 10)),
        (official(20, 0, 5), {"val": 0.25}, (30, 10, 10)),
        (official(20, 0, 5), {"val": 0.0}, (40, 0, 10)),
        (official(20, 5, 0), {}, (36, 4, 10)),
        (official(20, 5, 0), {"val": "official"}, (40, 10, 0)),
        (official(20, 5, 5, label_of_test=None), {}, (36, 4, 10)),
        (official(0, 0, 5), {}, (0, 0, 10)),
        (official(0, 5, 0), {}, (0, 0, 10)),
        (official(20, 0, 0), {}, (28, 4, 8)),
        (official(20, 5, 5), {"by": "stratified"}, (42, 6, 12)),
    ],
    ids=["all three", "val carved", "share of val", "no val", "val is sealed", "val official", "test has no labels",
         "test alone", "val alone", "train alone is no split", "split anew"],
)  # fmt: skip
def test_official(samples: SampleTable, options: dict[str, Any], sizes: tuple[int, int, int]) -> None:
    splits = split(samples, **options)
    assert (len(splits.train), len(splits.val or ()), splits.test.n if splits.test else 0) == sizes
    unlabelled = [i for i, y in zip(samples.column("sample_id"), samples.column("label"), strict=True) if y is None]
    assert all(assigned(splits)[i] is None for i in unlabelled)
    if options.get("by") != "stratified" and splits.how["by"] == "official":
        for i, name in zip(samples.column("sample_id"), samples.column("split"), strict=True):
            assert not (name == "train" and assigned(splits)[i] == "test")
    if not sizes[2]:
        assert "selected on val" in repr(splits)


def test_samples_that_no_official_split_holds_are_left_out_with_a_reason() -> None:
    rows = [sample(f"{s}{c}{i}", c, split=s) for s in ("train", "test", None) for c in (0, 1) for i in range(20)]
    splits = split(samples_of(rows, 2))
    assert splits.sizes["left_out"] == 40
    assert splits.left_out == {"in no official split": 40}


def test_copies_across_official_splits_are_left_for_the_audit() -> None:
    rows = [sample(f"{s}/{c}{i}", c, split=s, pixels=f"{c}{i}")
            for s in ("train", "test") for c in (0, 1) for i in range(10)]  # fmt: skip
    assert split(samples_of(rows, 2)).sizes == {"train": 18, "val": 2, "test": 20, "left_out": 0}


def test_kinds_of_groups_can_be_chosen() -> None:
    rows = [sample(f"{i}", i % 2, groups={"site": i % 4, "burst": i // 2}) for i in range(80)]
    samples = samples_of(rows, 2)
    by_burst = assigned(split(samples, by="group", group=("burst",)))
    ids = samples.column("sample_id")
    assert all(by_burst[ids[i]] == by_burst[ids[i + 1]] for i in range(0, 80, 2))
    assert len({by_burst[ids[i]] for i in range(0, 80, 4)}) > 1, "sites may be parted when only bursts must not be"


ONE_LARGE = samples_of([sample(f"{i}", i % 2, group="one" if i < 36 else i) for i in range(40)], 2)
GROUPED = samples_of([sample(f"{i}", i % 2, group=i % 3) for i in range(12)], 2)
CROSSED = samples_of(
    [sample(f"{i}", i % 2, split="test" if i == 4 else "train", group="P0193" if i < 5 else f"P{i}") for i in range(20)]
    + [sample(f"t{i}", i % 2, split="test") for i in range(6)], 2
)  # fmt: skip


@pytest.mark.parametrize(
    ("samples", "options", "said"),
    [
        (plain_samples([9, 9]), {"by": "stratifed"}, "Did you mean 'stratified'"),
        (plain_samples([9, 9]), {"val": 0.6, "test": 0.5}, "leave some to train on"),
        (plain_samples([9, 9]), {"val": "offical"}, "'official'"),
        (plain_samples([9, 9]), {"val": "official"}, "needs the official splits"),
        (plain_samples([9, 9]), {"by": "official"}, "no official val or test"),
        (plain_samples([9, 9]), {"by": "group"}, "--group COLUMN"),
        (plain_samples([9, 9]), {"group": ("patient",)}, "no groups of kind 'patient'"),
        (GROUPED, {"group": ("patent",)}, "Did you mean 'patient'"),
        (plain_samples([9, 9]), {"by": "time"}, "no sample has a time"),
        (plain_samples([9, 9], day=3), {"by": "time"}, "3 distinct times, got 1"),
        (plain_samples([9, 9], day=3), {"by": "time", "seed": 1}, "leave out seed 1"),
        (plain_samples([9, 9]), {"folds": 3, "fold": 3}, "0 … folds - 1"),
        (plain_samples([9, 9]), {"fold": 1}, "give folds too"),
        (plain_samples([9, 9]), {"folds": 3, "test": 0.1}, "leave out test"),
        (plain_samples([9, 9]), {"folds": 3, "by": "official"}, "Folds of the test are made by"),
        (plain_samples([9, 9]), {"fodls": 3}, "no option 'fodls'. Did you mean 'folds'"),
        (plain_samples([9, 9]), {"inner": 1}, "inner is 2 or more"),
        (plain_samples([9, 9]), {"inner": 3, "inner_fold": 3}, "0 … inner - 1"),
        (plain_samples([9, 9]), {"inner_fold": 1}, "give inner too"),
        (plain_samples([9, 9]), {"inner": 3, "val": 0.1}, "leave out val"),
        (plain_samples([9, 9]), {"repeats": 3}, "repeats draws the folds"),
        (plain_samples([9, 9]), {"folds": 3, "repeats": 2, "fold": 6}, "0 … folds - 1"),
        (official(20, 5, 5), {"inner": 3}, "an official val"),
        (official(20, 5, 5), {"folds": 3}, "would mix"),
        (official(20, 5, 5), {"val": 0.1}, "an official val"),
        (official(20, 5, 5), {"test": 0.1}, "has no effect"),
        (official(20, 0, 5), {"val": "official"}, "has no official val"),
        (plain_samples([9]), {}, "one class, 'a'"),
        (plain_samples([1, 1, 1]), {}, "leave val and test empty"),
        (plain_samples([30, 30]), {"val": 0.89, "test": 0.1}, "leave train empty. Train keeps at least one sample (or "
         "group) of each class. Add samples, choose larger classes with --classes, or ask for smaller shares"),
        (ONE_LARGE, {"val": 0.5, "folds": 2}, "samples that are not test are 4 of 40. Ask for less: --val 0.01"),
        (ONE_LARGE, {"folds": 9}, "would hold 0 of 40 samples. One group, patient:one, holds 36 of them."),
        (ONE_LARGE.take(range(36)), {"test": 0}, "leave val empty. One group, patient:one, holds 36 of them."),
        (ONE_LARGE.take(range(37)), {"by": "hash", "test": 0.99, "inner": 2}, "leave train empty"),
        (samples_of([sample(f"{i}", i % 2, group="all", groups={"site": i}) for i in range(9)], 2), {},
         "holds 9 of them. Groups that share samples are joined: name fewer kinds with --group."),
        (plain_samples([30, 30]), {"folds": 61}, "fold 60 of 61 would hold 0 of 60 samples"),
        (plain_samples([30, 1]), {"folds": 2}, "so a class needs two (or two groups). Split without folds"),
        (plain_samples([9, 9]), {"val": [0.1]}, "val is a share such as 0.1, or 'official', got [0.1]"),
        (plain_samples([9, 9]), {"test": "0.2"}, "test is a share such as 0.2, got '0.2'"),
        (plain_samples([9, 9]), {"seed": "x"}, "seed is a whole number, got 'x'"),
        (plain_samples([9, 9]), {"folds": 2.5}, "folds is a whole number, got 2.5"),
        (plain_samples([9, 9]), {"group": 5}, "group is a name or several, got 5"),
        (plain_samples([9, 9]), {"together": [(b"a",)]}, "together is pairs of sample ids"),
        (plain_samples([4, 4], split="train").take(range(8)), {"by": "official"}, "no official val or test"),
        (samples_of([sample(f"{i}", None) for i in range(5)]), {}, "No sample of made has a label"),
        (samples_of([sample(f"{i}", i % 2, split="test" if i % 2 else "train") for i in range(9)], 2), {},
         "class 'b' has 4 samples in test and none in train"),
        (CROSSED, {}, "patient P0193 has 4 samples in train and 1 in test.\n  Split by group: "
         "sightline split STUDY --by group --group patient"),
        (CROSSED, {"group": ("patient",)}, "patient P0193 has 4 samples in train and 1 in test.\n  Split by group: "
         "sightline split STUDY --by group --group patient"),
    ],
)  # fmt: skip
def test_refusals_say_what_to_do(samples: SampleTable, options: dict[str, Any], said: str) -> None:
    with pytest.raises(SplitError, match=re.escape(said)):
        split(samples, **options)


def test_class_whose_only_group_is_the_fold_under_test_is_refused() -> None:
    rows = [sample(f"a{i}", 0) for i in range(20)] + [sample(f"b{i}", 1, group="one") for i in range(6)]
    samples = samples_of(rows, 2)
    said = []
    for k in range(2):
        try:
            split(samples, by="stratified", folds=2, fold=k)
        except SplitError as e:
            said.append(str(e))
    assert len(said) == 1
    assert "'b' has 6 samples in test and none in train" in said[0]


def test_imagenette_official_val_is_sealed_and_val_is_carved(shared_data: Callable[[str], Path]) -> None:
    splits = split(sl.index(str(shared_data("imagenette"))))
    assert splits.sizes == {"train": 3_600, "val": 400, "test": 1_000, "left_out": 0}
    assert splits.how["test"] == "official val"


def test_mnist_official_test_is_sealed_and_val_is_carved(mnist: SampleTable) -> None:
    splits = split(mnist)
    assert splits.sizes == {"train": 54_000, "val": 6_000, "test": 10_000, "left_out": 0}
    assert splits.how["test"] == "official test"




def test_a_request_is_a_value() -> None:
    samples = plain_samples([20, 20])
    assert split(samples, Request(by="random", seed=4)).digest == split(samples, by="random", seed=4).digest
    assert Request(group="patient") == Request(group=["patient"])
    with pytest.raises(SplitError, match="got seed beside one"):
        split(samples, Request(), seed=3)
    with pytest.raises(SplitError, match="takes a Request, or its fields by name"):
        split(samples, {"by": "random"})  # type: ignore[arg-type]


def test_pairs_of_another_table_are_refused() -> None:
    with pytest.raises(DataError, match="has no sample"):
        split(plain_samples([20, 20]), together=[(b"x" * 16, b"y" * 16)])
