"""Samples that show several classes: stratified by all of them, and refused by training in so many words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import SplitError
from sightline.samples import SampleTable
from sightline.splits import folds, shows_several, split
from sightline.splits.labelling import labelling
from tests.splits.material import FEW, TOO_SMALL, assigned, split_or_refuse
from tests.tables import sample, samples_of

Array = np.ndarray[Any, Any]


def several(shown: list[set[int]], num_classes: int = 6, groups: list[int] | None = None) -> SampleTable:
    """Samples with the classes that each shows; the others were seen to be absent."""
    rows = []
    for i, classes in enumerate(shown):
        entries = [{"space": "", "id": c, "state": 1 if c in classes else -1, "source": "dataset"}
                   for c in range(num_classes)]  # fmt: skip
        rows.append({**sample(f"s{i}", None, group=None if groups is None else groups[i]), "labels": entries})
    return samples_of(rows, num_classes)


def drawn(n: int = 600, seed: int = 0) -> list[set[int]]:
    """Classes that go together and differ much in number, as objects in photographs do."""
    rng = np.random.default_rng(seed)
    scenes = rng.random((4, 6)) * np.array([0.9, 0.5, 0.3, 0.1, 0.05, 0.02])
    return [set(np.flatnonzero(rng.random(6) < scenes[rng.integers(4)]).tolist()) for _ in range(n)]


def counts(samples: SampleTable, names: Array, split_name: str) -> Array:
    return labelling(samples).counts(names == split_name)


SHOWN = drawn()
SAMPLES = several(SHOWN)


def names_of(samples: SampleTable, **options: Any) -> Array:
    return np.array(split(samples, **options).table["split"].to_pylist(), object)


def test_every_split_has_its_share_of_every_class() -> None:
    have = np.bincount([c for shown in SHOWN for c in shown], minlength=6)
    for seed in range(5):
        names = names_of(SAMPLES, by="stratified", val=0.1, test=0.2, seed=seed)
        for name, share in (("train", 0.7), ("val", 0.1), ("test", 0.2)):
            assert np.abs(counts(SAMPLES, names, name) - share * have).max() <= 2
            assert abs((names == name).sum() - share * len(SAMPLES)) <= 6


def test_that_is_what_chance_does_not_do() -> None:
    have = np.bincount([c for shown in SHOWN for c in shown], minlength=6)

    def distance(by: str) -> float:
        return float(np.mean([
            np.abs(counts(SAMPLES, names_of(SAMPLES, by=by, seed=seed), "test") / (0.2 * have) - 1).mean()
            for seed in range(10)
        ]))  # fmt: skip

    assert distance("stratified") < 0.25 * distance("random")


def test_folds_share_out_the_rarest_class() -> None:
    shown = [{0} for _ in range(40)] + [{0, 5} for _ in range(10)]
    samples = several(shown)
    for splits in folds(samples, by="stratified", folds=5, val=0.0):
        names = np.array(splits.table["split"].to_pylist(), object)
        assert counts(samples, names, "test").tolist() == [10, 0, 0, 0, 0, 2]


@FEW
@given(st.lists(st.tuples(st.sets(st.integers(0, 3), max_size=3), st.integers(0, 15)), min_size=20, max_size=60),
       st.sampled_from(["stratified", "group", "random", "hash"]), st.integers(0, 3))  # fmt: skip
def test_groups_stay_together_and_train_knows_every_class(
    rows: list[tuple[set[int], int]], by: str, seed: int
) -> None:
    samples = several([shown for shown, _ in rows], 4, [g for _, g in rows])
    splits = split_or_refuse(samples, by=by, seed=seed)
    if splits is None:
        return
    names = assigned(splits)
    homes: dict[str, set[str | None]] = {}
    for i, group in zip(samples.column("sample_id"), samples.column("group_id"), strict=True):
        homes.setdefault(group, set()).add(names[i])
    assert all(len(h) == 1 for h in homes.values())
    told = np.array([names[i] for i in samples.column("sample_id")], object)
    assert ((counts(samples, told, "train") > 0) | (labelling(samples).counts(told != "") == 0)).all()


def test_a_class_in_one_unit_alone_is_in_train() -> None:
    for seed in range(20):
        names = names_of(several([{0, 1, 2}, {0, 1}, {1, 2}, {0}, {3}, {4}, {5}, *[{0}] * 13]), by="stratified",
                         val=0.1, test=0.6, seed=seed)  # fmt: skip
        assert (names[4:7] == "train").all()
        assert "train" in {names[0], names[2]}


def test_who_shows_nothing_is_told_from_whom_nobody_looked_at() -> None:
    rows = [{**sample(f"s{i}", None), "labels": labels} for i, labels in enumerate(
        [[{"space": "", "id": i % 3, "state": 1}] for i in range(30)]
        + [[], None, [{"space": "", "id": 0, "state": 1, "source": "rater 1"}]]
    )]  # fmt: skip
    splits = split(samples_of(rows))
    assert splits.left_out == {"unlabelled": 2}
    assert splits.how["by"] == "stratified"


def test_labels_of_others_alone_are_none() -> None:
    guess = {"space": "", "id": 0, "state": 1, "source": "model"}
    rows = [{**sample(f"s{i}", None), "labels": [guess]} for i in range(9)]
    with pytest.raises(SplitError, match=TOO_SMALL):
        split(samples_of(rows))


def test_training_says_what_it_cannot_do() -> None:
    assert shows_several(SAMPLES)
    assert not shows_several(samples_of([sample(f"s{i}", i % 2) for i in range(9)], 2))
    assert not shows_several(samples_of([sample(f"s{i}", None) for i in range(9)], 2))
