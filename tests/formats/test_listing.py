"""Words for splits, and taking a part of a listing."""

from __future__ import annotations

import pytest

from sightline.formats import Listing
from sightline.formats.listing import split_of, split_of_file


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
