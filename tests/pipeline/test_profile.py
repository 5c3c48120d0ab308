"""The verb `profile` on a study: what it says, what it writes, and what it leaves alone."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import torch

from sightline import cli
from sightline.digests import sha256_file
from sightline.errors import DataError, RecipeError
from sightline.ledger import own_log
from sightline.loading import profile as profiling
from sightline.loading.profile import WORK
from sightline.pipeline import verb

QUICK = ["model=Model(name='small_cnn')", "size=(16, 16)", "train_sizes=()", "duration=Epochs(1)",
         "schedule.warmup=Epochs(0.1)", "batch_size=8", "optimizer=AdamW(lr=0.01)"]  # fmt: skip


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "BUDGET_S", 0.3)


@pytest.fixture
def study(photo_folder: Path, tmp_path: Path) -> Path:
    home = tmp_path / "study"
    verb("index")(photo_folder, home)
    verb("split")(home)
    return home


def test_a_profile_of_a_study(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, state = {p.name for p in study.iterdir()}, torch.get_rng_state()
    changes = [part for change in QUICK for part in ("--set", change)]
    code = cli.main(["profile", str(study), "--recipe", "photo.scratch", "--device", "cpu", *changes])
    assert code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("profile   photo.scratch (as asked, model=")
    assert "training is " in lines[0]
    assert [line.split()[0] for line in lines[2:6]] == list(WORK)
    picture = study / "profile.svg"
    assert lines[-1] == f"wrote {picture} · {sha256_file(picture)[:12]}"
    assert ET.parse(picture).getroot().tag.endswith("svg")
    assert json.loads((study / "study.json").read_text())["artifacts"]["profile"] == sha256_file(picture)
    assert {p.name for p in study.iterdir()} == before | {"profile.svg"}
    assert torch.equal(torch.get_rng_state(), state)
    assert not own_log().exists(), "the test split stays sealed"


def test_json_has_the_figures(study: Path) -> None:
    facts = verb("profile")(study, recipe="photo.scratch", changes=QUICK, device="cpu").to_json()
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert set(facts["first"]["ms_per_image"]) == set(facts["later"]["cpu_ms_per_image"]) == set(WORK)
    assert facts["first"]["ms_per_image"]["decode"] > 0
    assert facts["later"]["ms_per_image"]["decode"] == 0, "small enough to be kept"
    assert facts["is_starved"] in (True, False)
    assert facts["update_images_per_s"] > 0
    assert 0 <= facts["later"]["wait_share"] <= 1
    assert (facts["recipe"], facts["device"]) == ("photo.scratch", "cpu")


def test_mixed_batches_are_profiled_too(study: Path) -> None:
    mixing = "augmentation=Augmentation(transforms=(RandomResizedCrop(),), mixing=(MixUp(), CutMix()))"
    outcome = verb("profile")(study, recipe="photo.scratch", changes=[*QUICK, mixing], device="cpu")
    assert outcome.facts["update_images_per_s"] > 0


def test_before_its_time_and_for_a_recipe_that_is_not_there(photo_folder: Path, tmp_path: Path, study: Path) -> None:
    verb("index")(photo_folder, tmp_path / "other")
    with pytest.raises(DataError, match="sightline split"):
        verb("profile")(tmp_path / "other")
    with pytest.raises(RecipeError, match=r"photo\.scratch"):
        verb("profile")(study, recipe="photo.scrach")
