"""Folds that a study has scored: `evaluate` says what they give together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.audits import Findings
from sightline.audits.findings import Finding
from sightline.errors import SplitError
from sightline.pipeline import Outcome, verb
from sightline.predictions import Predictions
from sightline.recipes import Recipe
from sightline.runs import Run
from sightline.samples import SampleTable
from sightline.splits import Splits
from sightline.study import Study
from tests.inference.material import saved
from tests.training.material import recipe, stripes


@pytest.fixture
def study(tmp_path: Path) -> Study:
    home = Study.create(tmp_path / "study")
    home.write_samples(stripes(tmp_path / "stripes", n=90).hashed())
    return home


def scored(study: Study, made: Recipe, split: str, note: str | None = None, **division: Any) -> Outcome:
    """What `evaluate` says of an untrained model on a division."""
    samples: SampleTable = study.read_samples()
    verb("split")(study.directory, **division)
    splits = Splits.read(study.splits_path)
    run = Run.create(study.runs_path, made, samples, splits, {"model": {}})
    assert splits.test is not None
    digests = {"samples": samples.digest, "splits": splits.digest, "run": "cc", "test": splits.test.digest}
    saved(run.best, samples, digests=digests, seed=made.seed)
    evaluated: Outcome = verb("evaluate")(study.directory, [run.directory], split=split, note=note, device="cpu")
    return evaluated


def right(run: Path, split: str) -> list[bool]:
    predictions = Predictions.read(run / f"predictions-{split}.parquet")
    return (predictions.logits.argmax(1) == predictions.labels).tolist()


def test_folds_of_a_plan_add_up(study: Study) -> None:
    for fold in range(3):
        done = scored(study, recipe(), "test", folds=3, fold=fold)
        assert done.facts["folds"]["test"]["of"] == 3
        assert [*done.facts["folds"]["test"]["each"]] == [str(i) for i in range(fold + 1)]
    every = [r for run in study.runs_path.iterdir() for r in right(run, "test")]
    assert len(every) == 90
    assert done.facts["folds"]["test"]["top1"]["value"] == pytest.approx(np.mean(every))
    assert "3 of 3 folds: test top-1 " in done.details[-1]
    assert "n=90, look 1 · folds " in done.details[-1]


def test_a_test_whose_files_were_changed_costs_no_look(study: Study, tmp_path: Path) -> None:
    scored(study, recipe(), "val")
    images = tmp_path / "stripes" / "images.bin"
    images.write_bytes(images.read_bytes()[::-1])
    with pytest.raises(SplitError, match="18 of 18 images of test are not those that were indexed"):
        scored(study, recipe(), "test")
    assert not study.ledger_path.exists()


def test_findings_of_other_splits_say_nothing_of_these(study: Study) -> None:
    """The pair lay across the splits that were audited; it does not across these."""
    samples = study.read_samples()
    verb("split")(study.directory, seed=5)
    former = Splits.read(study.splits_path)
    names = dict(zip(former.table["sample_id"].to_pylist(), former.table["split"].to_pylist(), strict=True))
    test = [i for i, name in names.items() if name == "test"]
    pair = Finding(level="warning", subject="x", message="twice", score=1.0, sample_id=former.train.ids[0],
                   related_id=test[0], splits=("train", "test"))  # fmt: skip
    about = {"samples": samples.digest, "splits": former.digest}
    Findings.of([("exact-duplicates", [pair])], about).write(study.findings_path)
    done = scored(study, recipe(), "test", seed=5)
    assert done.facts["splits"]["test"]["without_leaks"]["n"] == 17
    done = scored(study, recipe(), "test", seed=6)
    assert done.facts["splits"]["test"]["without_leaks"] is None
    assert "findings are of other splits" in done.details[-1]


def test_other_recipes_and_plans_stay_apart(study: Study) -> None:
    scored(study, recipe(), "test", folds=3, fold=0)
    other = scored(study, recipe(seed=9), "test", folds=3, fold=1)
    assert [*other.facts["folds"]["test"]["each"]] == ["1"]
    drawn_anew = scored(study, recipe(), "test", folds=3, fold=1, seed=1, note="another plan")
    assert [*drawn_anew.facts["folds"]["test"]["each"]] == ["1"]
    single = scored(study, recipe(), "test")
    assert "folds" not in single.facts


def test_inner_folds_are_those_of_one_fold(study: Study) -> None:
    for inner in range(2):
        scored(study, recipe(), "val", folds=3, fold=0, inner=2, inner_fold=inner)
    done = scored(study, recipe(), "val", folds=3, fold=1, inner=2, inner_fold=1)
    assert [*done.facts["folds"]["val"]["each"]] == ["1"]
    done = scored(study, recipe(), "val", folds=3, fold=1, inner=2, inner_fold=0)
    assert [*done.facts["folds"]["val"]["each"]] == ["0", "1"]
    assert done.facts["folds"]["val"]["top1"]["n"] == 60
    assert "2 of 2 inner folds: val top-1 " in done.details[-1]


@pytest.mark.parametrize("division", [{"by": "random", "folds": 2, "repeats": 2}, {"by": "hash", "folds": 2}])
def test_repeats_count_each_sample_once(study: Study, division: dict[str, Any]) -> None:
    number = division["folds"] * division.get("repeats", 1)
    for fold in range(number):
        done = scored(study, recipe(), "test", fold=fold, **division)
    found = done.facts["folds"]["test"]
    assert found["of"] == len(found["each"]) == number
    assert found["top1"]["n"] == 90 * division.get("repeats", 1)
    assert found["top1"].get("groups") == (90 if "repeats" in division else None)
