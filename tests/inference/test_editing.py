"""A model that answers edited images of val and images of another source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sightline.audits.edits import EDITS
from sightline.errors import DataError, SplitError
from sightline.inference import Classifier
from sightline.inference.editing import trial_of
from sightline.preprocessing import Preprocessing
from sightline.samples import Classes, SampleTable
from sightline.splits import Splits, split
from tests.audits.pictures import Array, table


class CornerLight(nn.Module):
    """Says "cow" where the lower right corner is lighter than the rest."""

    def forward(self, images_bchw: Tensor) -> Tensor:
        corner = images_bchw[:, :, -5:, -5:].mean((1, 2, 3))
        difference = corner - images_bchw.mean((1, 2, 3)) - 2.0
        return torch.stack([-difference, difference], 1)


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> tuple[SampleTable, Splits]:
    def draw(name: str, i: int, pixels: Array) -> Array:
        out = pixels // 2
        if name == "cow":
            out[18:, 18:] = 250
        return out

    samples = table(tmp_path_factory.mktemp("marked"), {"bee": 60, "cow": 60}, draw).hashed()
    return samples, split(samples, val=0.3, test=0.2)


def classifier(samples: SampleTable, **fields: object) -> Classifier:
    contract = Preprocessing(size=(24, 24), resize_to=24, mean=(0.4,) * 3, std=(0.2,) * 3, classes=samples.classes.ids)
    return Classifier(module=CornerLight(), preprocessing=replace(contract, **fields), classes=samples.classes)  # type: ignore[arg-type]


@pytest.mark.parametrize("depth", [(8,), (16,)])
def test_only_the_edit_that_hits_the_mark_changes_answers(
    marked: tuple[SampleTable, Splits], depth: tuple[int, ...]
) -> None:
    samples, splits = marked
    assert splits.val is not None
    trial = trial_of(classifier(samples, bits=depth), samples, splits)
    before = trial.predictions(None)
    assert set(before.ids) == set(splits.val.ids)
    np.testing.assert_array_equal(before.predicted, before.labels)
    right = {e.name: float((trial.predictions(e).predicted == before.labels).mean()) for e in EDITS}
    assert right["corners"] == right["frame"] == 0.5
    assert right["grey"] == right["recode"] == 1


def test_grey_contracts_are_answered(marked: tuple[SampleTable, Splits]) -> None:
    samples, splits = marked
    trial = trial_of(classifier(samples, color_mode="L", mean=(0.4,), std=(0.2,)), samples, splits)
    np.testing.assert_array_equal(trial.predictions(None).predicted, trial.samples.labels)


def test_an_image_that_is_gone_is_a_row_with_a_reason(tmp_path: Path) -> None:
    samples = table(tmp_path, {"bee": 30, "cow": 30}).hashed()
    splits = split(samples, val=0.3, test=0.2)
    trial = trial_of(classifier(samples), samples, splits)
    trial.samples.reader().path(0).unlink()
    found = trial.predictions(EDITS[0])
    assert (found.status[0], found.is_valid[1:].all()) == ("unreadable", True)


def test_another_source_outside_of_its_test(marked: tuple[SampleTable, Splits], tmp_path: Path) -> None:
    samples, splits = marked
    other = table(tmp_path, {"train/Cow": 9, "train/owl": 5, "val/Cow": 4, "test/Cow": 3}).hashed()
    trial = trial_of(classifier(samples), samples, splits, against={"elsewhere": (other, None)})
    found = trial.elsewhere()["elsewhere"]
    assert len(found) == 13
    assert set(found.labels.tolist()) == {samples.classes.index["cow"]}
    strangers = replace(other, classes=Classes(("x", "y"), ("x", "y")))
    with pytest.raises(DataError, match="a class that the model knows"):
        trial_of(classifier(samples), samples, splits, against={"elsewhere": (strangers, None)})


def test_what_cannot_be_tried(marked: tuple[SampleTable, Splits]) -> None:
    samples, splits = marked
    with pytest.raises(SplitError, match="no val split"):
        trial_of(classifier(samples), samples, split(samples, val=0.0, test=0.2))
    stranger = replace(classifier(samples),
                       digests={"trained_on_samples": samples.digest, "trained_on_splits": "ab" * 32})  # fmt: skip
    with pytest.raises(SplitError, match="other splits"):
        trial_of(stranger, samples, splits)
