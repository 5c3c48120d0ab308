from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sightline.digests import short
from sightline.errors import DataError, VersionError
from sightline.runs import Run
from sightline.splits import Splits
from tests.training.material import divided, recipe, stripes

ABOUT = {
    "model": {"name": "small_cnn", "source": "x", "architecture": {"num_parameters": 5, "digest": ""}, "step": None}
}


def _run(tmp_path: Path) -> Run:
    samples = stripes(tmp_path / "data")
    return Run.create(tmp_path / "runs", recipe(), samples, divided(samples), ABOUT)


def test_a_run_is_a_directory_named_by_its_digest(tmp_path: Path) -> None:
    run = _run(tmp_path)
    assert run.directory == tmp_path / "runs" / short(run.digest)
    assert {p.name for p in run.directory.iterdir()} == {"recipe.json", "run.json", "log.jsonl", "splits.parquet"}
    assert not run.is_finished
    back = Run.open(run.directory, run.samples, run.splits)
    assert back.recipe == run.recipe
    assert run.splits is not None
    assert Splits.read(back.splits_path).digest == run.splits.digest
    assert back.digest == run.digest
    assert Run.open(run.best).directory == run.directory
    assert "not finished" in repr(back)


def test_recipe_samples_splits_model_and_step_all_count(tmp_path: Path) -> None:
    run = _run(tmp_path)
    assert run.samples is not None
    assert run.splits is not None
    other = stripes(tmp_path / "other", n=60)
    digests = {run.digest}
    for r, s, p, a in (
        (replace(run.recipe, seed=9), run.samples, run.splits, ABOUT),
        (run.recipe, other, divided(other), ABOUT),
        (run.recipe, run.samples, divided(run.samples, val=0.3), ABOUT),
        (run.recipe, run.samples, run.splits, {"model": ABOUT["model"] | {"source": "y"}}),
        (run.recipe, run.samples, run.splits, {"model": ABOUT["model"] | {"step": "z"}}),
    ):
        digests.add(Run.create(tmp_path / "runs", r, s, p, a).digest)
    assert len(digests) == 6


def test_other_data_and_newer_formats_are_refused(tmp_path: Path) -> None:
    run = _run(tmp_path)
    other = stripes(tmp_path / "other", n=60)
    with pytest.raises(DataError, match="was trained on samples"):
        Run.open(run.directory, samples=other)
    with pytest.raises(DataError, match="was trained on splits"):
        Run.open(run.directory, splits=divided(other))
    with pytest.raises(DataError, match="is not a run"):
        Run.open(tmp_path)
    run.json_path.write_text(json.dumps({**run.about, "version": 99}))
    with pytest.raises(VersionError, match="newer version"):
        Run.open(run.directory)


def test_log_is_rewound_and_survives_a_torn_line(tmp_path: Path) -> None:
    run = _run(tmp_path)
    for step in (0, 5, 10, 15):
        run.write_line({"kind": "epoch", "step": step})
    run.write_line({"kind": "end", "step": 10})
    with run.log_path.open("a") as f:
        f.write('{"kind": "epo')
    assert [line["step"] for line in run.log()] == [0, 5, 10, 15, 10]
    run.rewind_log(10)
    assert run.log() == [{"kind": "epoch", "step": s} for s in (0, 5, 10)]
    assert list(run.to_pandas()["step"]) == [0, 5, 10]
