"""Words for splits, and taking a part of a listing."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.formats import Listing
from sightline.formats.listing import source_and_views, split_of, split_of_file


@pytest.mark.parametrize(
    ("word", "split"),
    [("train", "train"), ("Training", "train"), ("valid", "val"), ("validation", "val"), ("dev", "val"),
     ("TEST ", "test"), ("t10k", "test"), ("extra", None), ("trainer", None)],
)  # fmt: skip
def test_words(word: str, split: str | None) -> None:
    assert split_of(word) == split


@pytest.mark.parametrize(
    ("stem", "split"),
    [("train-00000-of-00294", "train"), ("validation_0", "val"), ("test.csv", "test"), ("trainset", None), ("0", None)],
)
def test_file_names(stem: str, split: str | None) -> None:
    assert split_of_file(stem) == split


def test_take_keeps_sequences_parallel() -> None:
    listing = Listing(
        layout="x", name="x", roots={}, keys=list("abc"), splits=[None, "train", "test"], labels=["0", "1", None],
        images={"root": "r", "path": list("xyz")}, class_ids=("0", "1"), groups=[[("g", "1")], [], [("g", "2")]],
    )  # fmt: skip
    part = listing.take([2, 0])
    assert (part.keys, part.splits, part.labels) == (["c", "a"], ["test", None], [None, "0"])
    assert part.images == {"root": "r", "path": ["z", "x"]}
    assert part.groups == [[("g", "2")], [("g", "1")]]
    assert part.times is None
    assert part.class_ids == ("0", "1")


def test_words_behind_a_hash_choose_a_view(tmp_path: Path) -> None:
    assert source_and_views("coco") == ("coco", ())
    assert source_and_views("a#b/coco#crops, 2014") == ("a#b/coco", ("crops", "2014"))
    (tmp_path / "a#crops").mkdir()
    assert source_and_views(tmp_path / "a#crops") == (str(tmp_path / "a#crops"), ())


def test_other_numbers_for_the_classes() -> None:
    entries = [{"space": "", "id": 0, "state": 1}, {"space": "coarse", "id": 0, "state": 1},
               {"space": "", "id": 2, "state": -1}]  # fmt: skip
    box = {"space": "", "id": 2, "x0": 0.0}
    listing = Listing(
        layout="x", name="x", roots={}, keys=list("ab"), splits=[None] * 2, labels=[None] * 2, images={},
        columns={"labels": [entries, None], "boxes": [[box], []], "crop": [None, [0, 0, 1, 1]]},
    )  # fmt: skip
    assert listing.classes_shown() == [{0}, set()]
    found = listing.renumbered({2: 5}).columns
    assert found["labels"] == [[entries[1], {"space": "", "id": 5, "state": -1}], None]
    assert found["boxes"] == [[{"space": "", "id": 5, "x0": 0.0}], []]
    assert found["crop"] == [None, [0, 0, 1, 1]]
