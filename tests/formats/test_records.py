"""What all layouts of records share: keys, splits, labels and groups from columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sightline.errors import DataError
from sightline.formats import Attributes, Listing
from sightline.formats.records import Records, entries_of, files_of, listing_of, split_in
from tests.sources import write_files


def records(split: str | None = None, source: str = "a", by: str = "label", **columns: Any) -> Records:
    n = len(next(iter(columns.values())))
    images = {"path": source, "container": "mds", "offset": list(range(n)), "length": 1}
    return Records(source=source, split=split, images=images, columns=columns, label=by, reasons=[None] * n)


def listed(place: Path, *parts: Records, names: tuple[str, ...] = (), **attributes: Any) -> Listing:
    return listing_of("MDS", place, parts, Attributes(**attributes), names)


def test_train_comes_first_and_each_split_counts_for_itself(tmp_path: Path) -> None:
    listing = listed(tmp_path, records("test", "b", label=[0]), records("train", "a", label=[1, 0]))
    assert listing.keys == ["train/00000", "train/00001", "test/00000"]
    assert listing.images["path"] == ["a", "a", "b"]
    assert listing.images["offset"] == [0, 1, 0]
    assert listing.images["length"] == 1


@pytest.mark.parametrize(
    ("columns", "keys"),
    [
        ({"key": ["p", "q"]}, ["train/p", "train/q"]),
        ({"key": ["train/p", "q"]}, ["train/p", "train/q"]),
        ({"id": [7, 9]}, ["train/7", "train/9"]),
        ({"filename": ["x", "y"], "id": [7, 9]}, ["train/x", "train/y"]),
        ({"filename": ["x", "x"]}, ["train/00000", "train/00001"]),
        ({"filename": ["x", None]}, ["train/00000", "train/00001"]),
        ({"filename": ["img_0.jpg", "img_1.jpg"]}, ["train/00000", "train/00001"]),
        ({}, ["train/00000", "train/00001"]),
    ],
)
def test_keys_are_the_sources_own_names(tmp_path: Path, columns: dict[str, Any], keys: list[str]) -> None:
    assert listed(tmp_path, records("train", label=[0, 1], **columns)).keys == keys


def test_a_label_is_not_taken_for_a_key(tmp_path: Path) -> None:
    assert listed(tmp_path, records("train", by="name", name=["a", "b"])).keys == ["train/00000", "train/00001"]


def test_a_column_tells_the_split_where_names_do_not(tmp_path: Path) -> None:
    listing = listed(tmp_path, records(label=[0, 1], partition=["validation", "train"]))
    assert listing.splits == ["val", "train"]
    assert listing.keys == ["val/00000", "train/00000"]
    assert listed(tmp_path, records("test", label=[0], subset=["train"])).splits == ["test"]


def test_half_named_splits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="b names no split"):
        listed(tmp_path, records("train", "a", label=[0]), records(None, "b", label=[1]))


@pytest.mark.parametrize(
    ("labels", "names", "native"),
    [
        ([0, -1, None], (), ["0", None, None]),
        (["007", " x ", ""], (), ["007", "x", None]),
        ([1, 0, -1], ("cat", "dog"), ["dog", "cat", None]),
        (["dog", "cat", None], ("cat", "dog"), ["dog", "cat", None]),
    ],
)
def test_labels(tmp_path: Path, labels: list[Any], names: tuple[str, ...], native: list[str | None]) -> None:
    listing = listed(tmp_path, records(label=labels), names=names)
    assert listing.labels == native
    assert (listing.class_ids, listing.policy) == (names, "official" if names else None)


@pytest.mark.parametrize(
    ("names", "message"), [(("a",), "label '1', but names only 1"), (("a", "a"), "names a class twice")]
)
def test_names_that_do_not_fit(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        listed(tmp_path, records(label=[0, 1]), names=names)


def test_groups_of_some_files_alone(tmp_path: Path) -> None:
    listing = listed(tmp_path, records("train", label=[0, 1], patient=["p", None]), records("val", label=[1]))
    assert listing.groups == [[("patient", "p")], [], []]
    assert listing.times is None
    with pytest.raises(DataError, match="no column 'ward'"):
        listed(tmp_path, records("train", label=[0], patient=["p"]), groups=("ward",))


def test_encoded_and_plain_images_are_not_mixed(tmp_path: Path) -> None:
    plain = records("val", "b", label=[0])
    plain = Records(**{**vars(plain), "images": {**plain.images, "codec": "raw"}})
    with pytest.raises(DataError, match="a holds encoded images and other files beside it plain arrays"):
        listed(tmp_path, records("train", "a", label=[1]), plain)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("mnist-train.tfrecord-00000-of-00001", "train"), ("X_test", "test"), ("church_outdoor_val_lmdb", "val"),
        ("training_train", "train"), ("train-val", None), ("constraints", None), ("t10k-images", "test"),
    ],
)  # fmt: skip
def test_splits_in_names(name: str, split: str | None) -> None:
    assert split_in(name) == split


def test_files_are_found_in_folders_for_splits_and_nowhere_else(tmp_path: Path) -> None:
    write_files(tmp_path, dict.fromkeys(("train/b.x", "train/a.x", "val/c.x", "other/d.x", ".hid.x", "train/e.y"), b""))
    found = files_of(tmp_path, lambda f: f.suffix == ".x", lambda name: name.endswith("x"))
    assert [f.relative_to(tmp_path).as_posix() for f in found] == ["train/a.x", "train/b.x", "val/c.x"]
    assert [f.name for f in entries_of(tmp_path)[1]] == ["other", "train", "val"]
    write_files(tmp_path, {"top.x": b""})
    assert files_of(tmp_path, lambda f: f.suffix == ".x") == [tmp_path / "top.x"]
    with pytest.raises(DataError, match="cannot be listed"):
        entries_of(tmp_path / "gone")
