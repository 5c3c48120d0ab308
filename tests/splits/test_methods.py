"""What holds for every way to divide: one test over all of them each."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.digests import digest_of
from sightline.errors import SplitError
from sightline.samples import SampleTable
from sightline.splits import Request, Splits, folds, split, write_csv
from tests.splits.material import DRAWN, WAYS, assigned, named, promise, split_or_refuse, tables
from tests.tables import plain_samples, sample, samples_of

each_way = pytest.mark.parametrize("way", WAYS, ids=named)

SOME = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

GROUPS = [sample(f"{g}/{i}", (g + i) % 3, group=g, day=3 * g + i, groups={"site": g % 3})
          for g in range(30) for i in range(3)]  # fmt: skip
ALL = samples_of(GROUPS)
"""90 samples of which every way makes splits."""


GOLDEN = {
    "by=random": "3f183e3604c2",
    "by=stratified": "3f183e3604c2",
    "by=group": "3f183e3604c2",
    "by=hash": "19fc3cd980b9",
    "by=auto": "3f183e3604c2",
    "by=time": "fbe6cf8b6d78",
    "by=time embargo=2d": "637dc4189881",
    "by=domain domain=site=0": "8df122f81f5a",
    "by=domain domain=site fold=1": "79179c70fb1b",
    "by=stratified folds=3 fold=1": "2d5a27470505",
    "by=random folds=2 repeats=2 fold=3": "e75b913d4997",
    "by=hash folds=2 fold=1 inner=2": "797f1af0aa7e",
    "by=group folds=3 fold=2 inner=2 inner_fold=1": "4f7e6633281d",
    "by=stratified inner=3": "f6e23ae30510",
    "by=time folds=2 fold=1": "328b3a48452a",
    "by=time folds=2 fold=1 inner=2 embargo=1d": "9f9d6862166e",
    "by=domain domain=site inner=2 inner_fold=1": "42ddb8abdb36",
}
"""Start of the digest of each way's assignment of those samples."""


@each_way
def test_the_same_samples_are_divided_alike_for_ever(way: dict[str, Any]) -> None:
    """A seed that is published has to make the same split in the next version too."""
    assert digest_of(split(ALL, **way).table["split"].to_pylist())[:12] == GOLDEN[named(way)]


@settings(SOME, max_examples=100)
@given(way=st.sampled_from(WAYS), samples=tables(), seed=st.integers(0, 5))
def test_no_group_and_no_copy_in_two_splits_and_a_reason_for_each_row(
    way: dict[str, Any], samples: SampleTable, seed: int
) -> None:
    further = {} if way["by"] == "time" else {"seed": seed}
    splits = split_or_refuse(samples, **way, **further)
    if splits is not None:
        promise(samples, splits)


@SOME
@given(way=st.sampled_from(WAYS), samples=tables(min_size=30), random=st.randoms(use_true_random=False))
def test_assignment_depends_on_nothing_but_samples_and_request(
    way: dict[str, Any], samples: SampleTable, random: Any
) -> None:
    splits = split_or_refuse(samples, **way)
    order = list(range(len(samples)))
    random.shuffle(order)
    again = split_or_refuse(samples.take(order), **way)
    assert (splits is None) == (again is None)
    if splits is not None and again is not None:
        assert assigned(splits) == assigned(again)
        same = split(samples, Request(**way))
        assert same.digest == splits.digest
        assert same.test == splits.test
        if splits.test is not None and again.test is not None:
            assert again.test.fingerprint == splits.test.fingerprint, "a fingerprint knows no order"


@SOME
@given(way=st.sampled_from(WAYS), samples=tables(min_size=40),
       pairs=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=6))  # fmt: skip
def test_pairs_that_belong_together_are_in_one_split(
    way: dict[str, Any], samples: SampleTable, pairs: list[tuple[int, int]]
) -> None:
    ids = samples.column("sample_id")
    together = [(ids[a], ids[b]) for a, b in pairs]
    splits = split_or_refuse(samples, **way, together=together)
    if splits is None:
        return
    promise(samples, splits)
    names = assigned(splits)
    for a, b in together:
        assert len({names[a], names[b]} - {None}) <= 1


@SOME
@given(way=st.sampled_from(WAYS), samples=tables(min_size=40))
def test_as_csv_and_back(way: dict[str, Any], tmp_path: Path, samples: SampleTable) -> None:
    splits = split_or_refuse(samples, **way)
    if splits is None:
        return
    path = tmp_path / "splits.csv"
    write_csv(splits, samples, path)
    again = split(samples, by=path)
    assert assigned(again) == assigned(splits)
    splits.write(tmp_path / "splits.parquet")
    read = Splits.read(tmp_path / "splits.parquet")
    assert (read.digest, read.test, dict(read.how)) == (splits.digest, splits.test, dict(splits.how))


@each_way
def test_the_test_stays_whole_when_train_is_repaired(way: dict[str, Any]) -> None:
    splits = split(ALL, **way)
    gone = {i: f"copy of a sample in val: {n}" for n, i in enumerate(splits.train.ids[:3])}
    fewer = splits.without(gone)
    assert fewer.test == splits.test
    assert len(fewer.train) == len(splits.train) - 3
    assert fewer.left_out["copy of a sample in val"] == 3


@each_way
def test_folds_yields_every_division_once(way: dict[str, Any]) -> None:
    every = list(folds(ALL, **way))
    assert len({s.digest for s in every}) == len(every)
    assert split(ALL, **way).digest in {s.digest for s in every}
    inner = way.get("inner", 1)
    number = 3 if way.get("domain") == "site" else way.get("folds", 1) * way.get("repeats", 1)
    assert len(every) == number * inner
    for _, same in itertools.groupby(every, key=lambda s: s.how.get("fold")):
        division = list(same)
        assert len({s.test.digest for s in division if s.test}) == 1, "inner folds do not touch the test"
        if way["by"] == "time" or inner == 1:
            continue
        chosen = [i for s in division if s.val for i in s.val.ids]
        assert len(chosen) == len(set(chosen)) == len(ALL) - len(division[0].test or ()), "val is each sample once"
    tests = [s.test for s in every if s.test]
    if number > 1:
        assert len({t.fingerprint for t in tests}) == 1, "the folds of a plan are one look at all of it"
        assert len({t.fold.plan for t in tests if t.fold}) == 1
        tested = [i for s in every[::inner] for i, n in assigned(s).items() if n == "test"]
        whole = len(ALL) * way.get("repeats", 1)
        assert len(tested) == (whole - len(ALL) // 3 if way["by"] == "time" else whole)


@each_way
def test_inner_folds_leave_the_test_as_it_is_without_them(way: dict[str, Any]) -> None:
    alone = {name: value for name, value in way.items() if not name.startswith("inner")}
    assert split(ALL, **{**alone, "inner": 2}).test == split(ALL, **alone).test


@SOME
@given(way=st.sampled_from([w for w in WAYS if not w.get("inner")]), samples=tables(min_size=40),
       val=st.floats(0.05, 0.4))  # fmt: skip
def test_another_val_is_no_other_test(way: dict[str, Any], samples: SampleTable, val: float) -> None:
    """It would be counted as a new one, and yet share most of its images with the old."""
    one, other = split_or_refuse(samples, **way), split_or_refuse(samples, **way, val=val)
    if one is not None and other is not None:
        assert one.test == other.test


@each_way
def test_dropped_samples_are_in_no_split(way: dict[str, Any]) -> None:
    rows = [{**r, "status": "dropped", "reason": "dropped in review: blurred"} if r["key"] in {"0/0", "7/1"} else r
            for r in GROUPS]  # fmt: skip
    splits = split(samples_of(rows), **way)
    assert splits.left_out["dropped in review"] == 2


@each_way
@pytest.mark.parametrize("kinds", [(), ("patient",)])
def test_groups_that_a_person_merged_hold_whatever_is_named(way: dict[str, Any], kinds: tuple[str, ...]) -> None:
    merged = [{**r, "group_id": "review:1" if r["key"] in {"3/0", "18/2"} else f"lone {r['key']}",
               "groups": [*r["groups"], *([{"kind": "review", "id": "1"}] if r["key"] in {"3/0", "18/2"} else [])]}
              for r in GROUPS]  # fmt: skip
    samples = samples_of(merged)
    if way["by"] == "group" and not kinds:
        way = {**way, "group": ("patient",)}
    names = assigned(split(samples, **way, **({"group": kinds} if kinds else {})))
    homes = {names[i] for i, key in zip(samples.column("sample_id"), samples.column("key"), strict=True)
             if key in {"3/0", "18/2"}}  # fmt: skip
    assert len(homes - {None}) <= 1


@each_way
@pytest.mark.parametrize("seed", [1, 2])
def test_a_seed_changes_the_assignment_where_there_is_chance(way: dict[str, Any], seed: int) -> None:
    samples = ALL if way["by"] in {"group", "domain", "time"} else plain_samples([60, 60])
    if way["by"] == "time":
        with pytest.raises(SplitError, match=f"leave out seed {seed}"):
            split(samples, **way, seed=seed)
    elif way in DRAWN:
        assert split(samples, **way).digest != split(samples, **way, seed=seed).digest
