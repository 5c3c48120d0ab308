"""ReaL: further labels beside the original ones, matched by the number of the val image."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.catalog import label_data
from sightline.catalog.real_labels import with_real_labels
from sightline.errors import DataError
from sightline.indexing import index
from tests.catalog.imagenet_sources import WNIDS, val_name
from tests.sources import jpeg, write_files


def test_labels_are_added_and_nothing_is_overwritten(tmp_path: Path) -> None:
    real, labels = label_data.real_labels(), label_data.val_labels()
    empty = next(i for i, found in enumerate(real, 1) if not found)
    several = next(i for i, found in enumerate(real, 1) if len(found) > 2)
    write_files(tmp_path, {f"val/{val_name(n)}": jpeg(n) for n in {1, empty, several}})
    write_files(tmp_path, {"train/n01440764/n01440764_1.JPEG": jpeg()})
    samples = index(tmp_path)
    added = with_real_labels(samples)
    assert added.column("label") == samples.column("label")
    assert added.digest != samples.digest
    found = dict(zip(added.column("key"), added.column("labels"), strict=True))
    assert found["train/n01440764/n01440764_1.JPEG"] is None
    assert [(e["id"], e["state"], e["source"]) for e in found[f"val/{val_name(several)}"]] == [
        (i, 1, "real") for i in real[several - 1]
    ]
    # What raters could not agree on is said, so that it can be left out.
    assert [(e["id"], e["state"]) for e in found[f"val/{val_name(empty)}"]] == [(labels[empty - 1], 0)]
    assert with_real_labels(added).digest == added.digest


def test_classes_that_were_not_taken_are_left_out(tmp_path: Path) -> None:
    real, labels = label_data.real_labels(), label_data.val_labels()
    number = next(i for i, found in enumerate(real, 1) if len(found) > 1 and labels[i - 1] in found)
    write_files(tmp_path, {f"val/{val_name(number)}": jpeg(), f"val/{val_name(1)}": jpeg()})
    chosen = {WNIDS[labels[number - 1]], WNIDS[65]}
    added = with_real_labels(index(tmp_path, classes=sorted(chosen)))
    assert all(e["id"] < len(added.classes) for entries in added.column("labels") for e in entries)


def test_other_images_have_none(photo_folder: Path) -> None:
    with pytest.raises(DataError, match="no val images of ImageNet-1k"):
        with_real_labels(index(photo_folder))
