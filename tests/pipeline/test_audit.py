"""The verb `audit` with a model, another source and contracts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sightline.artifacts import write_json
from sightline.audits import Findings
from sightline.audits.edits import EDITS
from sightline.errors import DataError, SplitError
from sightline.pipeline import verb
from sightline.preprocessing import Preprocessing
from sightline.splits import Splits, channel_statistics
from sightline.study import Study
from tests.audits.pictures import write
from tests.inference.material import saved

COUNTS = {"bee": 40, "cow": 40}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    verb("index")(str(write(tmp_path / "photos", COUNTS)), tmp_path / "study")
    verb("split")(tmp_path / "study", val=0.3, test=0.2)
    return Study.open(tmp_path / "study")


def rows_of(study: Study, check: str) -> list[dict[str, Any]]:
    table = Findings.read(study.findings_path).table
    return [{**r, **json.loads(r["evidence"])} for r in table.to_pylist() if r["check"] == check]


def test_a_model_is_tried_on_edits_and_another_source(study: Study, tmp_path: Path) -> None:
    verb("index")(str(write(tmp_path / "others", {"cow": 6, "owl": 6}, seed=500)), tmp_path / "other")
    model = saved(tmp_path / "best.pt", study.read_samples())
    verb("audit")(study.directory, checks=("shortcut-effect",), model=str(model), against=(str(tmp_path / "other"),))
    rows = rows_of(study, "shortcut-effect")
    assert [r["subject"] for r in rows] == [*(e.name for e in EDITS), str(tmp_path / "other")]
    assert rows[-1]["there"]["n"] == 6
    assert {r["level"] for r in rows[: len(EDITS)]} == {"info"}


def test_a_source_to_compare_with_needs_a_model(study: Study) -> None:
    with pytest.raises(DataError, match="--model"):
        verb("audit")(study.directory, against=("elsewhere",))


def test_a_model_needs_splits(tmp_path: Path) -> None:
    verb("index")(str(write(tmp_path / "photos", {"bee": 3, "cow": 3})), tmp_path / "study")
    samples = Study.open(tmp_path / "study").read_samples()
    with pytest.raises(SplitError, match="sightline split"):
        verb("audit")(tmp_path / "study", model=str(saved(tmp_path / "best.pt", samples)))


@pytest.mark.parametrize("is_theirs", [False, True], ids=["own JSON", "preprocessor_config.json"])
def test_contracts_are_compared_with_the_splits(study: Study, tmp_path: Path, is_theirs: bool) -> None:
    samples = study.read_samples().hashed()
    splits = Splits.read(study.splits_path)
    assert splits.val is not None
    of_val = channel_statistics(samples, splits.val)
    mine = Preprocessing(size=(24, 24), resize_to=24, mean=of_val.mean, std=of_val.std)
    theirs = {"image_mean": of_val.mean, "image_std": of_val.std, "do_resize": True, "size": {"shortest_edge": 24},
              "do_center_crop": True, "crop_size": {"height": 24, "width": 24}, "do_rescale": True,
              "rescale_factor": 1 / 255, "do_normalize": True, "resample": 2,
              "image_processor_type": "ViTImageProcessor"}  # fmt: skip
    path = tmp_path / "contract.json"
    write_json(path, theirs if is_theirs else mine.to_json())
    verb("audit")(study.directory, checks=("normalization",), preprocessing=(str(path),))
    (row,) = rows_of(study, "normalization")
    assert (row["subject"], row["level"], row["statistics_of"]) == (str(path), "warning", ["val"])


def test_what_is_no_contract(study: Study, tmp_path: Path) -> None:
    path = tmp_path / "contract.json"
    for value in ([], {"size": [24, 24]}):
        write_json(path, value)
        with pytest.raises(DataError, match=r"contract\.json"):
            verb("audit")(study.directory, checks=("normalization",), preprocessing=(str(path),))


@pytest.mark.parametrize(("check", "option"), [("shortcut-effect", "--model"), ("normalization", "--preprocessing")])
def test_a_check_by_name_needs_what_it_looks_at(study: Study, check: str, option: str) -> None:
    with pytest.raises(DataError, match=option):
        verb("audit")(study.directory, checks=(check,))
