"""`split`: the promises that hold for every assignment, and what is said when they cannot."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sightline as sl
from sightline.errors import SplitError
from sightline.samples import Classes, SampleTable, sample_id_of, table_from_rows
from sightline.splits import Splits, split
from tests.tables import plain_samples, sample, samples_of

FEW = settings(max_examples=40, deadline=None)


@st.composite
def tables(draw: st.DrawFn, min_size: int = 12) -> SampleTable:
    """Samples of three classes, some of them in groups, some of them copies of others, some unlabelled."""
    drawn = st.tuples(
        st.sampled_from([0, 0, 0, 1, 1, 2, None]),
        st.one_of(st.none(), st.integers(0, 9)),
        st.one_of(st.none(), st.none(), st.integers(0, 5)),
    )
    rows = draw(st.lists(drawn, min_size=min_size, max_size=80))
    return samples_of([
        sample(f"s{i}", label, group=group, **({} if copy is None else {"pixels": f"copy {copy}"}))
        for i, (label, group, copy) in enumerate(rows)
    ])  # fmt: skip


def assigned(splits: Splits) -> dict[bytes, str | None]:
    return dict(zip(splits.table["sample_id"].to_pylist(), splits.table["split"].to_pylist(), strict=True))


def crossing(samples: SampleTable, splits: Splits, column: str) -> list[Any]:
    homes: dict[Any, set[str]] = {}
    for i, value in zip(samples.column("sample_id"), samples.column(column), strict=True):
        if (name := assigned(splits)[i]) is not None and value is not None:
            homes.setdefault(value, set()).add(name)
    return [value for value, names in homes.items() if len(names) > 1]


def promise(samples: SampleTable, splits: Splits) -> None:
    """What every assignment made here must keep."""
    assert splits.table["sample_id"].to_pylist() == samples.column("sample_id")
    assert crossing(samples, splits, "group_id") == []
    assert crossing(samples, splits, "pixel_sha256") == []
    names = assigned(splits)
    labels = dict(zip(samples.column("sample_id"), samples.column("label"), strict=True))
    in_train = {labels[i] for i in splits.train.ids}
    assert in_train == {labels[i] for i, n in names.items() if n is not None}
    for i, n in names.items():
        assert (n is None) == (splits.table["reason"].to_pylist()[samples.positions([i])[0]] is not None)
        assert labels[i] is not None or n is None


def split_or_refuse(samples: SampleTable, **options: Any) -> Splits | None:
    """The splits; None where the drawn table is too small, which has to be what the error says."""
    try:
        return split(samples, **options)
    except SplitError as e:
        if not re.search(r"leave .* empty|none in train|no group|would hold|has a label", str(e), re.IGNORECASE):
            raise
        return None


@FEW
@given(tables(), st.sampled_from(["stratified", "auto", "group", "hash"]), st.integers(0, 5))
def test_no_group_and_no_copy_in_two_splits(samples: SampleTable, by: str, seed: int) -> None:
    splits = split_or_refuse(samples, by=by, seed=seed, val=0.2, test=0.3)
    if splits is not None:
        promise(samples, splits)


@FEW
@given(tables(min_size=30), st.integers(0, 5))
def test_stratified_needs_no_luck(samples: SampleTable, seed: int) -> None:
    """A class of which there is a sample is in train, whatever the groups: only emptiness is refused."""
    try:
        promise(samples, split(samples, by="stratified", seed=seed))
    except SplitError as e:
        if "empty" not in str(e):
            raise


@FEW
@given(tables(), st.sampled_from(["stratified", "hash"]), st.randoms(use_true_random=False))
def test_assignment_depends_on_nothing_but_samples_and_seed(samples: SampleTable, by: str, random: Any) -> None:
    splits = split_or_refuse(samples, by=by)
    order = list(range(len(samples)))
    random.shuffle(order)
    again = split_or_refuse(samples.take(order), by=by)
    assert (splits is None) == (again is None)
    if splits is not None and again is not None:
        assert assigned(splits) == assigned(again)
        same = split(samples, by=by)
        assert same.digest == splits.digest
        assert same.test == splits.test
        if splits.test is not None and again.test is not None:
            assert again.test.fingerprint == splits.test.fingerprint, "a fingerprint knows no order"


def test_seed_changes_the_assignment() -> None:
    samples = plain_samples([60, 60])
    assert split(samples, seed=0).digest != split(samples, seed=1).digest


@FEW
@given(tables(min_size=40), st.integers(0, 60), st.integers(0, 3))
def test_growth_moves_no_sample_of_a_hash_split(samples: SampleTable, cut: int, seed: int) -> None:
    small = samples.take(range(min(max(cut, 12), len(samples))))
    before, after = (split_or_refuse(s, by="hash", seed=seed, val=0.2, test=0.3) for s in (small, samples))
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


@FEW
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 12), st.integers(0, 15)), min_size=20, max_size=60))
def test_time_train_ends_before_val_and_val_before_test(rows: list[tuple[int, int, int]]) -> None:
    samples = samples_of([sample(f"s{i}", c, group=g, day=day) for i, (c, g, day) in enumerate(rows)], 2)
    try:
        splits = split(samples, by="time")
    except SplitError as e:
        if not re.search("distinct times|none in train", str(e)):
            raise
        return
    promise(samples, splits)
    latest: dict[str, Any] = {}
    for group, time in zip(samples.column("group_id"), samples.column("time"), strict=True):
        latest[group] = max(time, latest.get(group, time))
    names = assigned(splits)
    by_split: dict[str, list[Any]] = {}
    for i, group in zip(samples.column("sample_id"), samples.column("group_id"), strict=True):
        by_split.setdefault(names[i] or "", []).append(latest[group])
    assert max(by_split["train"]) < min(by_split["val"])
    assert max(by_split["val"]) < min(by_split["test"])


def test_time_cuts_near_the_shares() -> None:
    samples = samples_of([sample(f"s{i}", i % 2, day=i) for i in range(100)], 2)
    assert split(samples, by="time").sizes == {"train": 70, "val": 10, "test": 20, "left_out": 0}


def test_time_leaves_a_moment_for_every_split() -> None:
    samples = samples_of([sample(f"s{i}", i % 2, day=i // 10) for i in range(30)], 2)
    assert split(samples, by="time", val=0.1, test=0.6).sizes == {"train": 10, "val": 10, "test": 10, "left_out": 0}


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
    assert set(splits.table["reason"].to_pylist()) == {None, "in no official split"}


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
        (plain_samples([9, 9]), {"folds": 3, "by": "time"}, "Folds are made by"),
        (official(20, 5, 5), {"folds": 3}, "would mix"),
        (official(20, 5, 5), {"val": 0.1}, "an official val"),
        (official(20, 5, 5), {"test": 0.1}, "has no effect"),
        (official(20, 0, 5), {"val": "official"}, "has no official val"),
        (plain_samples([9]), {}, "one class, 'a'"),
        (plain_samples([1, 1, 1]), {}, "leave val and test empty"),
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


def test_several_labels_a_sample_are_told_from_none(tmp_path: Path) -> None:
    rows = [
        {
            "sample_id": sample_id_of("", str(i)), "key": str(i), "dataset": "", "group_id": str(i), "reason": "none",
            "status": "unreadable", "image": {"root": "r", "path": "x", "container": "file"},
            "labels": [{"space": "", "id": 0, "state": 1}, {"space": "", "id": 1, "state": 1}],
        }
        for i in range(4)
    ]  # fmt: skip
    table = SampleTable(table_from_rows(rows), Classes(("a", "b"), ("a", "b")), "several", {"r": str(tmp_path)})
    with pytest.raises(SplitError, match="several labels each"):
        split(table)
