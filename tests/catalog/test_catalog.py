"""Every card is complete and consistent, and datasets are known by their content."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from sightline.catalog import CATALOG, Card, datasets, recognise
from sightline.errors import DataError
from sightline.formats import Attributes, Listing, detect
from sightline.indexing import index
from tests.sources import jpeg, picture, write_files, write_idx


@pytest.mark.parametrize("card", CATALOG, ids=lambda c: c.name)
def test_a_card_is_consistent(card: Card) -> None:
    assert datasets(card.name) is card
    assert not card.class_ids or len(set(card.class_ids)) == len(card.class_ids) == card.num_classes
    assert set(card.class_names) <= set(card.class_ids)
    assert all(0 <= label < card.num_classes for label in card.first_labels)
    assert set(card.num_samples) <= {"train", "val", "test", "all"}
    for s in card.statistics:
        assert s.kind in {"per_pixel", "mean_of_per_image_std"}
        assert len(s.mean) == len(s.std)
        assert all(0 < v < 1 for v in (*s.mean, *s.std))
    assert all(0 < f.top1 < 1 and f.source for f in card.figures)
    required = [f for f in dataclasses.fields(card) if f.default is dataclasses.MISSING]
    texts = [getattr(card, f.name) for f in required if f.type == "str"]
    assert all(texts)


@pytest.mark.parametrize("card", CATALOG, ids=lambda c: c.name)
def test_a_card_tells_how_its_files_are_had_and_what_they_may_be_used_for(card: Card) -> None:
    assert card.use in {"training and testing", "testing only"}
    if card.use == "testing only":
        assert set(card.num_samples) <= {"test", "val"}
    places = [(f.name, f.form) for f in card.files]
    assert len(set(places)) == len(places)
    for f in card.files:
        assert f.name
        assert not f.name.startswith("/")
        assert ".." not in f.name.split("/")
        assert f.num_bytes is None or f.num_bytes > 0
        assert re.fullmatch(r"([0-9a-f]{64})?", f.sha256)
        assert re.fullmatch(r"([0-9a-f]{32})?", f.md5)
        if f.address:
            # Without a digest nobody knows what came, and over http nobody knows from whom.
            assert f.address.startswith(("https://", "http://"))
            assert f.sha256 or (f.md5 and f.address.startswith("https://"))
        else:
            assert card.gate
    assert card.is_served or card.gate or card.name == "digits"
    assert all(isinstance(n, int) and n > 0 and what for what, n in card.counts.items())


@pytest.mark.parametrize("card", CATALOG, ids=lambda c: c.name)
def test_a_card_shows_itself(card: Card) -> None:
    text = str(card)
    assert text.startswith(card.title)
    assert f"{sum(card.num_samples.values()):,} images" in text
    assert all(quirk in text for quirk in card.quirks)
    assert card._repr_html_().startswith("<pre>")


def test_names_are_unique_and_listed() -> None:
    assert len({c.name for c in datasets()}) == len(datasets()) == len(CATALOG)


def test_an_unknown_name() -> None:
    with pytest.raises(DataError, match="Did you mean 'cifar10'"):
        datasets("cifar-10")


def _arrays(card: Card, labels: list[str]) -> Listing:
    splits = [s for s, n in card.num_samples.items() for _ in range(n)]
    return Listing(
        layout="IDX", name="x", roots={}, keys=splits, splits=splits,
        labels=labels + ["0"] * (len(splits) - len(labels)), images={},
    )  # fmt: skip


@pytest.mark.parametrize("card", [c for c in CATALOG if c.first_labels], ids=lambda c: c.name)
def test_arrays_are_known_by_size_and_first_labels(card: Card) -> None:
    first = [str(i) for i in card.first_labels]
    assert recognise(_arrays(card, first)) is card
    assert recognise(_arrays(card, [card.class_ids[i] for i in card.first_labels])) is card
    assert recognise(_arrays(card, first[:-1])) is None
    fewer = dataclasses.replace(card, num_samples={"train": 100})
    assert recognise(_arrays(fewer, first)) is None


def test_a_small_array_of_ones_own_is_nobody_elses(tmp_path: Path) -> None:
    images = np.stack([picture(4, 4, 1, i) for i in range(4)])
    samples = index(write_idx(tmp_path / "mnist", images, np.array([5, 0, 4, 1], np.uint8)))
    assert set(samples.column("dataset")) == {""}
    assert samples.name == "mnist"  # the folder's name


def test_folders_are_known_by_their_classes(tmp_path: Path) -> None:
    card = datasets("imagenette")
    write_files(tmp_path, {f"train/{wnid}/1.JPEG": jpeg() for wnid in card.class_ids})
    assert recognise(detect(tmp_path).read(tmp_path, Attributes())) is card
    samples = index(tmp_path)
    assert samples.name == "imagenette"
    assert samples.classes.title(0) == "tench (n01440764)"
    write_files(tmp_path, {"train/n01484850/1.JPEG": jpeg()})
    grown = index(tmp_path)
    assert grown.name != "imagenette"
    # A folder may grow beyond a dataset; the samples that were there keep their ids.
    assert set(samples.column("sample_id")) < set(grown.column("sample_id"))


def test_folders_of_numbers_are_nobodys(tmp_path: Path) -> None:
    write_files(tmp_path / "mine", {f"{i}/1.jpg": jpeg() for i in range(10)})
    assert index(tmp_path / "mine").name == "mine"


def test_where_a_dataset_is_looked_for(tmp_path: Path) -> None:
    card = datasets("mnist")
    assert card.located(tmp_path) is None
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    assert card.located(tmp_path) == tmp_path / "MNIST"
