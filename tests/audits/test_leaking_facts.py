"""Facts about the splits that leak: groups, times, statistics, augmented copies, drift."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import sightline as sl
from sightline.audits import Findings, audit
from sightline.audits.augmented import _family
from sightline.preprocessing import Preprocessing
from sightline.samples import SampleTable
from sightline.splits import Split, channel_statistics, split
from tests.audits.pictures import Array, blobs, encoded, table, write
from tests.tables import sample, samples_of

SPLITS = ("train", "val", "test")

FEW = settings(max_examples=25, deadline=None)


def rows_of(found: Findings) -> list[dict[str, Any]]:
    return [{**r, **json.loads(r["evidence"])} for r in found.table.to_pylist()]


# --- groups


@FEW
@given(st.lists(st.tuples(st.sampled_from([*SPLITS, None]), st.integers(0, 4)), max_size=25))
def test_groups_across_splits_are_parted_by_leaving_the_leaks_out(homes: list[tuple[str | None, int]]) -> None:
    rows = [sample(f"k{i}", i % 2, split=s, group=g) for i, (s, g) in enumerate(homes)] or [sample("k", 0)]
    found = audit(samples_of(rows, 2), checks=["groups-across-splits"])
    pairs = [frozenset((r["sample_id"], r["related_id"])) for r in found.table.to_pylist()]
    assert len(pairs) == len(set(pairs))
    leaks = set(found.leaks())
    kept = [(s, g) for i, (s, g) in enumerate(homes) if s and samples_of(rows, 2).column("sample_id")[i] not in leaks]
    for _, group in homes:
        assert len({s for s, g in kept if g == group}) <= 1
    tested = {i for i, (s, g) in enumerate(homes) if s == "test" and {o for o, h in homes if h == g} & {"train", "val"}}
    ids = samples_of(rows, 2).column("sample_id")
    assert set(found.leaked_test_ids()) == {ids[i] for i in tested}


def test_a_straddling_group_is_named(tmp_path: Path) -> None:
    rows = [sample("a", 0, split="train", group=7), sample("b", 0, split="val", group=7),
            sample("c", 1, split="train", group=8), sample("d", 1, split="test", group=8)]  # fmt: skip
    found = rows_of(audit(samples_of(rows, 2), checks=["groups-across-splits"]))
    assert [(r["subject"], r["level"], r["message"]) for r in found] == [
        ("patient 7", "warning", "has 1 in train and 1 in val"), ("patient 8", "error", "has 1 in train and 1 in test"),
    ]  # fmt: skip


# --- time


def timed(*homes: tuple[str, int]) -> SampleTable:
    return samples_of([sample(f"k{i:03d}", i % 2, split=s, day=d) for i, (s, d) in enumerate(homes)], 2)


def test_times_in_order() -> None:
    assert len(audit(timed(*[("train", d) for d in range(50)], *[("test", d) for d in range(50, 60)]),
                     checks=["time-order"])) == 0  # fmt: skip


def test_a_few_after_the_test_began() -> None:
    homes = [*[("train", d) for d in range(50)], ("train", 55), *[("test", d) for d in range(50, 60)]]
    rows = rows_of(audit(timed(*homes), checks=["time-order"]))
    assert [(r["level"], r["subject"]) for r in rows] == [("error", "time"), ("error", "k050")]
    assert rows[0]["message"] == "1 of 51 samples of train are not from before test begins (2026-02-20 00:00)"


def test_splits_at_random_over_time_are_a_note() -> None:
    rows = rows_of(audit(timed(*[(SPLITS[2 * (d % 2)], d) for d in range(60)]), checks=["time-order"]))
    assert [r["level"] for r in rows] == ["info"]
    assert "overlap in time" in rows[0]["message"]


def test_a_split_by_time_has_no_finding() -> None:
    samples = samples_of([sample(f"k{i:03d}", i % 2, day=i) for i in range(60)], 2)
    assert len(audit(samples, split(samples, by="time"), checks=["time-order"])) == 0


# --- normalization


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory) -> SampleTable:
    root = tmp_path_factory.mktemp("shifted")
    counts = {f"{s}/{c}": n for s, n in zip(SPLITS, (30, 12, 16), strict=True) for c in ("bee", "cow")}
    return table(root, counts, lambda n, i, p: p // 2 + 30 if n.startswith("train") else p).hashed()


def contract(samples: SampleTable, names: tuple[str, ...], decimals: int) -> Preprocessing:
    ids = [i for i, s in zip(samples.column("sample_id"), samples.column("split"), strict=True) if s in names]
    s = channel_statistics(samples, Split("+".join(names), tuple(ids)))
    return Preprocessing(size=(24, 24), resize_to=24, mean=tuple(round(v, decimals) for v in s.mean),
                         std=tuple(round(v, decimals) for v in s.std))  # fmt: skip


@pytest.mark.parametrize(("names", "level"), [
    (("train",), None), (("train", "val"), "warning"), (("train", "test"), "error"), (SPLITS, "error"),
    (("test",), "error"), (("val",), "warning"),
])  # fmt: skip
@pytest.mark.parametrize("decimals", [4, 8])
def test_statistics_tell_where_they_come_from(
    shifted: SampleTable, names: tuple[str, ...], level: str | None, decimals: int
) -> None:
    contracts = {"mine": contract(shifted, names, decimals)}
    rows = rows_of(audit(shifted, checks=["normalization"], contracts=contracts))
    assert [r["level"] for r in rows] == ([] if level is None else [level])
    if level is not None:
        assert (rows[0]["subject"], tuple(rows[0]["statistics_of"])) == ("mine", names)


def test_statistics_of_other_data_or_few_decimals_say_nothing(shifted: SampleTable) -> None:
    imagenet = Preprocessing(size=(24, 24), resize_to=24, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    coarse = contract(shifted, SPLITS, 2)
    strange = replace(imagenet, mean=(0.4914, 0.4822, 0.4465))
    found = audit(shifted, checks=["normalization"], contracts={"a": imagenet, "b": coarse, "c": strange})
    assert len(found) == 0


def test_the_smaller_std_is_recognised(shifted: SampleTable) -> None:
    """The mean of the images' own stds, which circulates for CIFAR-10."""
    stds = []
    for i in range(len(shifted)):
        values = shifted.reader().pixels(i).values / 255
        stds.append(values.reshape(-1, 3).std(0))
    mean = contract(shifted, SPLITS, 5).mean
    mine = Preprocessing(size=(24, 24), resize_to=24, mean=mean, std=tuple(np.mean(stds, 0).round(5).tolist()))
    (row,) = rows_of(audit(shifted, checks=["normalization"], contracts={"mine": mine}))
    assert (row["level"], row["kind"]) == ("error", "mean_of_per_image_std")


# --- augmented copies


def turned(root: Path, split_name: str, name: str, pixels: Array) -> None:
    folder = root / split_name / "bee"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(encoded(pixels))


def test_augmented_copies_across_splits(tmp_path: Path) -> None:
    counts = {f"{s}/{c}": 4 for s in ("train", "test") for c in ("bee", "cow")}
    write(tmp_path, counts)
    a, b, c = (blobs(s) for s in (900, 901, 902))
    turned(tmp_path, "train", "x.jpg", a)
    turned(tmp_path, "test", "x_flip.jpg", a[:, ::-1])
    turned(tmp_path, "train", "y_rot90.jpg", np.rot90(b))
    turned(tmp_path, "test", "y_aug_3.jpg", b)
    turned(tmp_path, "test", "0001_flip.jpg", c)  # of test's own 0001; train's is another picture
    from sightline import indexing

    found = audit(indexing.index(tmp_path), checks=["augmented-copies"])
    rows = rows_of(found)
    assert [(r["subject"].rpartition("/")[2], r["related"].rpartition("/")[2], r["level"]) for r in rows] == [
        ("x.jpg", "x_flip.jpg", "error"), ("y_rot90.jpg", "y_aug_3.jpg", "error"),
    ]  # fmt: skip
    assert len(found.leaks()) == 2


@pytest.mark.parametrize(("key", "family", "is_made"), [
    ("train/bee/img_aug_3.jpg", "bee/img", True), ("bee/img-flipped.png", "bee/img", True),
    ("bee/img_rot90_bright.png", "bee/img", True), ("bee/img.rotated.png", "bee/img", True),
    ("test/bee/img.jpg", "bee/img", False), ("bee/img_12.jpg", "bee/img_12", False),
    ("train 00017", "train 00017", False), ("bee/img_hflip.jpg", "bee/img", True),
    ("bee/flip.jpg", "bee/flip", False), ("bee/img (3).jpg", "bee/img (3)", False),
])  # fmt: skip
def test_what_names_say(key: str, family: str, is_made: bool) -> None:
    assert _family(key) == (family, is_made)


# --- drift


def test_another_source_in_test(tmp_path: Path) -> None:
    counts = {f"{s}/{c}": 40 for s in ("train", "test") for c in ("bee", "cow")}

    def draw(name: str, i: int, pixels: Array) -> bytes:
        size = (32, 24) if name.startswith("test") and i % 2 else (24, 24)
        return encoded(np.asarray(Image.fromarray(pixels).resize(size)))

    rows = rows_of(audit(table(tmp_path, counts, draw), checks=["factor-drift"]))
    (row,) = [r for r in rows if r["factor"] == "size"]
    assert (row["level"], row["split"], row["column"]) == ("warning", "test", "width")
    assert row["distance"] == pytest.approx(0.5)


def test_splits_at_random_do_not_drift(tmp_path: Path) -> None:
    samples = table(tmp_path, {"bee": 200, "cow": 200}, lambda n, i, p: encoded(p, (75, 85, 95)[i % 3]))
    found = audit(samples, split(samples, val=0.2, test=0.3), checks=["factor-drift"])
    assert len(found) == 0


@pytest.mark.parametrize("by", ["time", "official"])
def test_splits_by_time_are_of_other_days_on_purpose(tmp_path: Path, by: str) -> None:
    write(tmp_path, {"bee": 60, "cow": 60})
    when = {i: datetime(2024, 1, 1, 12) + timedelta(days=i) for i in range(60)}
    lines = [f"{c}/{i:04d}.jpg,{c},{when[i].isoformat()},{('train', 'val', 'test')[min(i // 20, 2)]}"
             for c in ("bee", "cow") for i in range(60)]  # fmt: skip
    (tmp_path / "days.csv").write_text("\n".join(["path,label,time,split", *lines]))
    samples = sl.index(tmp_path / "days.csv")
    rows = rows_of(audit(samples, split(samples, by=by), checks=["factor-drift"]))
    assert [r["column"] for r in rows if r["factor"] == "time"] == ([] if by == "time" else ["day time"] * 2)


# --- order


def in_one_folder(labels: list[int], numbers: list[int]) -> SampleTable:
    rows = [{**sample(f"photos/IMG_{n:04d}.jpg", c), "image": {"container": "file"}}
            for c, n in zip(labels, numbers, strict=True)]  # fmt: skip
    return samples_of(rows, 2)


def test_numbers_that_run_class_by_class_are_told() -> None:
    labels = [i % 2 for i in range(200)]
    numbers = [i // 2 + 500 * c for i, c in enumerate(labels)]
    (row,) = rows_of(audit(in_one_folder(labels, numbers), checks=["file-order"]))
    assert (row["level"], row["subject"]) == ("warning", "order")
    assert row["agreement"] > 0.99
    assert row["by_chance"] == pytest.approx(0.5)
    shuffled = np.random.default_rng(0).permutation(200).tolist()
    assert len(audit(in_one_folder(labels, shuffled), checks=["file-order"])) == 0


def test_an_array_sorted_by_class_is_a_note() -> None:
    rows = [sample(f"made {i:05d}", int(i >= 100)) for i in range(200)]
    (row,) = rows_of(audit(samples_of(rows, 2), checks=["file-order"]))
    assert row["level"] == "info"
    assert "in the source" in row["message"]


def test_classes_that_are_folders_have_no_order() -> None:
    rows = [{**sample(f"{'ab'[c]}/{i:04d}.jpg", c), "image": {"container": "file"}} for c in (0, 1) for i in range(60)]
    assert len(audit(samples_of(rows, 2), checks=["file-order"])) == 0
