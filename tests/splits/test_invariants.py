"""`verify`: what was changed after it was made is found, whoever changed it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import DataError, SplitError
from sightline.samples import SampleTable
from sightline.splits import Splits, split, verify
from tests.splits.material import FEW, split_or_refuse, tables
from tests.tables import sample, samples_of

ROWS = [sample(f"{g}/{i}", (g + i) % 2, group=g, day=3 * g + i, groups={"site": g % 3})
        for g in range(30) for i in range(3)]  # fmt: skip
SAMPLES = samples_of(ROWS, 2)


def moved(splits: Splits, change: Callable[[list[str | None]], None]) -> Splits:
    """Splits as somebody would forge them: other assignments, all digests as they should be."""
    names = splits.table["split"].to_pylist()
    change(names)
    return replace(splits, table=splits.table.set_column(1, splits.table.schema.field(1), pa.array(names, pa.string())))


def swap(names: list[str | None]) -> None:
    a, b = names.index("train"), names.index("test")
    names[a], names[b] = names[b], names[a]


@pytest.mark.parametrize(
    "options", [{"by": "group"}, {"by": "group", "folds": 3}, {"by": "time"}, {"by": "domain", "domain": "site"}]
)
def test_a_sample_that_was_moved_from_its_group(options: dict[str, Any]) -> None:
    splits = split(SAMPLES, **options, group=("patient",))
    verify(SAMPLES, splits)
    with pytest.raises(SplitError, match=r"patient \d+ has .* in train and .* in test"):
        verify(SAMPLES, moved(splits, swap))


def test_a_sample_that_was_moved_in_time() -> None:
    samples = samples_of([sample(f"s{i}", i % 2, day=i) for i in range(40)], 2)
    splits = split(samples, by="time", embargo="2d")
    with pytest.raises(SplitError, match=r"train does not end before val begins, with the embargo \(2d\) between"):
        verify(samples, moved(splits, lambda names: names.__setitem__(names.index("val") - 1, "train")))
    with pytest.raises(SplitError, match="does not end before"):
        verify(samples, moved(splits, swap))


def test_a_sample_that_was_moved_to_another_domain() -> None:
    samples = samples_of([sample(f"s{i}", i % 2, groups={"site": i % 3}) for i in range(60)], 2)
    with pytest.raises(SplitError, match=r"2 samples are on the wrong side of site, e\.g\. s0"):
        verify(samples, moved(split(samples, by="domain", domain="site", fold=0, val=0.0), swap))


def test_a_copy_and_a_class_on_one_side_alone() -> None:
    rows = [sample(f"s{i}", i % 2, pixels=f"image {i // 2}") for i in range(40)]
    splits = split(samples_of(rows, 2))
    with pytest.raises(SplitError, match="the image with pixels"):
        verify(samples_of(rows, 2), moved(splits, swap))
    few = samples_of([sample(f"s{i}", int(i > 3)) for i in range(30)], 2)
    of_one = [i for i, label in enumerate(few.column("label")) if label == 0]

    def all_of_one_in_test(names: list[str | None]) -> None:
        for i in of_one:
            names[i] = "test"

    with pytest.raises(SplitError, match="class 'a' has 4 samples in test and none in train"):
        verify(few, moved(split(few), all_of_one_in_test))


def test_a_test_that_lost_a_sample_or_whose_images_changed() -> None:
    samples = samples_of([sample(f"s{i}", i % 2) for i in range(40)], 2)
    splits = split(samples)
    with pytest.raises(SplitError, match="not those that were sealed"):
        verify(samples, moved(splits, lambda names: names.__setitem__(names.index("test"), "val")))
    other = [sample(f"s{i}", i % 2) for i in range(40)]
    row = splits.table["split"].to_pylist().index("test")
    other[row]["content_sha256"] = b"x" * 32
    with pytest.raises(SplitError, match="not those that were sealed"):
        verify(samples_of(other, 2), splits)


def test_rows_in_another_order_and_splits_of_other_samples() -> None:
    splits = split(SAMPLES)
    with pytest.raises(SplitError, match="one for each sample in order"):
        verify(SAMPLES, replace(splits, table=splits.table.take(list(range(len(SAMPLES)))[::-1])))
    with pytest.raises(DataError, match="made for other samples"):
        verify(samples_of(ROWS[:-1], 2), splits)


@FEW
@given(tables(min_size=30), st.sampled_from(["stratified", "group", "random"]))
def test_every_move_of_one_sample_of_a_larger_group_is_found(samples: SampleTable, by: str) -> None:
    splits = split_or_refuse(samples, by=by, val=0.2, test=0.3)
    if splits is None:
        return
    names, groups = splits.table["split"].to_pylist(), samples.column("group_id")
    for i, name in enumerate(names):
        if name == "train" and any(groups[j] == groups[i] and names[j] == name for j in range(len(names)) if j != i):
            with pytest.raises(SplitError, match=re.escape(" in train and ")):
                verify(samples, moved(splits, lambda n, i=i: n.__setitem__(i, "val")))  # type: ignore[misc]


def test_official_splits_may_hold_copies_but_part_no_group() -> None:
    rows = [sample(f"{s}/{i}", i % 2, split=s, pixels=f"{i}", group=f"{s} {i // 4}")
            for s in ("train", "test") for i in range(60)]  # fmt: skip
    samples = samples_of(rows, 2)
    splits = split(samples)
    verify(samples, splits)
    with pytest.raises(SplitError, match="patient"):
        verify(samples, moved(splits, swap))
