"""The Croissant description beside a converted folder: right about its files, and valid."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import sightline as sl
from sightline.conversion import croissant
from sightline.digests import sha256_file
from tests.conversion.odd import FOLDERS, needed


@pytest.mark.parametrize("to", FOLDERS)
def test_the_description_names_every_file_and_its_checksum(to: str, photo_folder: Path, tmp_path: Path) -> None:
    needed(to)
    sl.convert(sl.index(photo_folder, limit=0.2), tmp_path / "out", to=to)
    about = json.loads((tmp_path / "out" / croissant.NAME).read_text())
    files = {f["@id"]: f for f in about["distribution"]}
    assert {"sightline.parquet", "sightline-classes.parquet"} <= set(files)
    shards = json.loads((tmp_path / "out" / "sightline.json").read_text())["files"]
    assert set(shards) <= set(files)
    for name, file in files.items():
        if file["@type"] == "cr:FileSet":
            images = [p for pattern in file["includes"] for p in (tmp_path / "out").glob(pattern) if p.is_file()]
            assert len(images) == len(sl.index(tmp_path / "out"))
        else:
            assert file["sha256"] == sha256_file(tmp_path / "out" / name)
    assert bool(shards) == ("images" not in files)


def test_licence_and_address_of_a_known_dataset(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the extra `digits` is not installed")
    sl.convert(sl.index("digits", limit=0.05), tmp_path / "out", to="manifest")
    about = json.loads((tmp_path / "out" / croissant.NAME).read_text())
    card = sl.datasets("digits")
    assert (about["name"], about["license"], about["url"]) == (card.title, card.licence, card.homepage)


@pytest.mark.parametrize("to", FOLDERS)
def test_croissant_validates(to: str, photo_folder: Path, tmp_path: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    needed(to)
    samples = sl.convert(sl.index(photo_folder, limit=0.2), tmp_path / "out", to=to).samples
    found = mlcroissant.Dataset(jsonld=str(tmp_path / "out" / croissant.NAME))
    assert not found.metadata.issues.errors
    assert [r["samples/key"].decode() for r in found.records("samples")] == samples.column("key")
    assert len(list(found.records("classes"))) == 2
