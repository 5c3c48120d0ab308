"""scikit-learn's splitters say what these divisions have to be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.samples import SampleTable
from sightline.splits import Splits, folds, split
from tests.splits.material import split_or_refuse
from tests.tables import plain_samples, sample, samples_of

selection = pytest.importorskip("sklearn.model_selection", reason="the extra `audit` is not installed")

MANY = settings(max_examples=15, deadline=None)


def rows_of(samples: SampleTable, splits: Splits, name: str) -> list[int]:
    names = splits.table["split"].to_pylist()
    return [i for i in range(len(samples)) if names[i] == name]


def per_class(samples: SampleTable, rows: Any) -> list[int]:
    return np.bincount(samples.labels[rows], minlength=len(samples.classes)).tolist()


@MANY
@given(st.integers(12, 60), st.integers(2, 5), st.integers(0, 4), st.randoms(use_true_random=False))
def test_folds_by_time_are_those_of_time_series_split(n: int, k: int, gap: int, random: Any) -> None:
    days = list(range(n))
    random.shuffle(days)
    samples = samples_of([sample(f"s{i}", i % 2, day=day) for i, day in enumerate(days)], 2)
    try:
        wanted = list(selection.TimeSeriesSplit(k, gap=gap).split(np.zeros(n)))
    except ValueError:
        return  # too few samples for the folds and the gap
    if any(len({days.index(i) % 2 for i in train}) < 2 for train, _ in wanted):
        return  # a class that the test holds would be absent from train
    in_time = np.argsort(days)
    for splits, (train, test) in zip(folds(samples, by="time", folds=k, embargo=f"{gap + 1}d", val=0.0), wanted,
                                     strict=True):  # fmt: skip
        assert rows_of(samples, splits, "train") == sorted(in_time[train].tolist())
        assert rows_of(samples, splits, "test") == sorted(in_time[test].tolist())


@MANY
@given(st.lists(st.integers(5, 40), min_size=2, max_size=6), st.integers(2, 5))
def test_folds_by_class_hold_as_many_of_each_class_as_stratified_k_fold(counts: list[int], k: int) -> None:
    samples = plain_samples(counts)
    ours = [per_class(samples, rows_of(samples, s, "test")) for s in folds(samples, by="stratified", folds=k, val=0.0)]
    labels = samples.labels
    theirs = [per_class(samples, test) for _, test in selection.StratifiedKFold(k).split(labels, labels)]
    assert np.sort(ours, 0).tolist() == np.sort(theirs, 0).tolist()


@MANY
@given(st.lists(st.integers(5, 40), min_size=2, max_size=6), st.floats(0.1, 0.6), st.integers(0, 9))
def test_shares_are_rounded_as_shuffle_split_rounds_them(counts: list[int], share: float, seed: int) -> None:
    samples = plain_samples(counts)
    train, test = next(selection.ShuffleSplit(1, test_size=share, random_state=seed).split(samples.labels))
    splits = split(samples, by="stratified", test=share, val=0.0, seed=seed)
    assert (splits.sizes["train"], splits.sizes["test"]) == (len(train), len(test))


@MANY
@given(st.integers(7, 60), st.integers(2, 6), st.integers(2, 3))
def test_random_folds_are_of_the_sizes_of_repeated_k_fold(n: int, k: int, repeats: int) -> None:
    samples = samples_of([sample(f"s{i}", int(i % 7 == 0)) for i in range(0, 7 * n, 6)], 2)
    theirs = [len(test) for _, test in selection.RepeatedKFold(n_splits=k, n_repeats=repeats).split(samples.labels)]
    ours, tested = [], []
    for number in range(k * repeats):
        splits = split_or_refuse(samples, by="random", folds=k, repeats=repeats, fold=number, val=0.0)
        if splits is None:
            return  # all of the small class are in this fold
        tested.append(frozenset(rows_of(samples, splits, "test")))
        ours.append(len(tested[-1]))
    assert ours == theirs
    assert len(set(tested)) > k, "each repeat is drawn anew"


@MANY
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), min_size=12, max_size=60))
def test_domains_are_left_out_as_leave_one_group_out_does(rows: list[tuple[int, int]]) -> None:
    samples = samples_of([sample(f"s{i}", c, groups={"site": g}) for i, (g, c) in enumerate(rows)], 2)
    sites = np.array([str(g) for g, _ in rows])
    if len(set(sites)) < 2 or any(len({c for g, c in rows if str(g) != site}) < 2 for site in set(sites)):
        return
    theirs = list(selection.LeaveOneGroupOut().split(sites, groups=sites))
    for splits, (train, test) in zip(folds(samples, by="domain", domain="site", val=0.0), theirs, strict=True):
        assert rows_of(samples, splits, "train") == train.tolist()
        assert rows_of(samples, splits, "test") == test.tolist()


def test_grouped_folds_are_as_even_as_those_of_stratified_group_k_fold() -> None:
    """Mean distance of the folds' class counts from an equal share, over ten tables of uneven groups."""
    ours, theirs = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        sizes = rng.geometric(0.2, 60)
        rows = [(g, int(c)) for g, size in enumerate(sizes) for c in rng.choice(3, size, p=[0.6, 0.3, 0.1])]
        samples = samples_of([sample(f"s{i}", c, group=g) for i, (g, c) in enumerate(rows)])
        groups = np.array([g for g, _ in rows])
        even = np.bincount(samples.labels) / 5
        mine = [rows_of(samples, s, "test") for s in folds(samples, by="group", folds=5, val=0.0, seed=seed)]
        other = [test for _, test in selection.StratifiedGroupKFold(5).split(groups, samples.labels, groups)]
        ours.append(np.mean([np.abs(per_class(samples, t) - even).sum() for t in mine]))
        theirs.append(np.mean([np.abs(per_class(samples, t) - even).sum() for t in other]))
    assert np.mean(ours) <= np.mean(theirs)
