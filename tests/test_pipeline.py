"""The verbs applied to a study, and the whole job in one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sightline as sl
from sightline import artifacts, cli
from sightline.audits import Findings
from sightline.errors import DataError, LedgerError, RecipeError, SplitError
from sightline.ledger import Ledger
from sightline.pipeline import Outcome, chain, models, verb
from sightline.predictions import Predictions

QUICK = ["model=Model(name='small_cnn')", "size=(16, 16)", "train_sizes=()", "duration=Epochs(1)",
         "schedule.warmup=Epochs(0.1)", "batch_size=16", "optimizer=AdamW(lr=0.01)"]  # fmt: skip
"""photo.scratch, cut down to a second."""

DIGITS: dict[str, Any] = {"limit": 0.25, "changes": ["duration=Epochs(3)"], "device": "cpu"}
"""The demo, cut down to a few seconds: 450 images, 90 of them sealed."""


NO_WISH: dict[str, Any] = {"by": None, "val": None, "test": None}


def in_study(study: Path) -> dict[str, bytes]:
    return {p.relative_to(study).as_posix(): p.read_bytes() for p in study.rglob("*") if p.is_file()}


def prepare(source: Path | str, study: Path) -> None:
    verb("index")(source, study)
    verb("split")(study)
    verb("audit")(study)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[str], Outcome]]:
    """A study after `run` on the embedded digits, the lines that it told, and what it returned."""
    study, lines = tmp_path_factory.mktemp("run") / "study", []
    before = os.environ.get("SIGHTLINE_STATE")
    os.environ["SIGHTLINE_STATE"] = str(tmp_path_factory.mktemp("own"))
    try:
        outcome = verb("run")("digits", study, **DIGITS, tell=lines.append)
        yield study, lines, outcome
    finally:
        os.environ.pop("SIGHTLINE_STATE")
        if before is not None:
            os.environ["SIGHTLINE_STATE"] = before


@pytest.fixture
def study(finished: tuple[Path, list[str], Outcome], tmp_path: Path) -> Path:
    """A copy of the finished study, to change."""
    return Path(shutil.copytree(finished[0], tmp_path / "study"))


def test_of_many_images_run_leaves_the_long_checks_and_says_so(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = Findings.read(study / "findings.parquet")
    assert {"near-duplicates", "label-errors", "optimism"} <= {*findings.checks}
    monkeypatch.setattr(chain, "MANY", 449)
    (study / "findings.parquet").unlink()
    told = chain._audit(study)
    assert told.summary.endswith(f"left for `sightline audit {study}`: near-duplicates, label-errors, optimism")
    ran = Findings.read(study / "findings.parquet").checks
    assert ran == tuple(c for c in findings.checks if c not in {"near-duplicates", "label-errors", "optimism"})
    verb("audit")(study)
    chain._audit(study)
    assert {*Findings.read(study / "findings.parquet").checks} == {*findings.checks}, "what was found before is kept"


def test_run_tells_a_line_for_each_stage(finished: tuple[Path, list[str], Outcome]) -> None:
    study, lines, outcome = finished
    assert [line.split()[0] for line in lines] == ["index", "split", "audit", "check", "train", "evaluate", "report"]
    assert "450 images · 10 classes · subset: limit 0.25" in lines[0]
    assert "sealed" in lines[1]
    [last] = outcome.lines()
    assert last.startswith("test top-1 ")
    assert last.endswith(f" n=90 · look 1 at the test set · {study}/report.html")


def test_run_leaves_every_artifact_and_their_digests(finished: tuple[Path, list[str], Outcome]) -> None:
    study, _, outcome = finished
    names = set(in_study(study))
    assert {"study.json", "samples.parquet", "classes.parquet", "splits.parquet", "findings.parquet", "checklist.json",
            "ledger.jsonl", "report.html"} <= names  # fmt: skip
    [run] = (study / "runs").iterdir()
    kept = {"recipe.json", "splits.parquet", "run.json", "log.jsonl", "best.pt", "last.pt", "scores.json",
            "predictions-val.parquet", "predictions-test.parquet"}  # fmt: skip
    assert kept == {p.name for p in run.iterdir()}
    assert not [n for n in names if n.endswith(".tmp")]
    about = json.loads((study / "study.json").read_text())
    assert about["artifacts"]["samples"] == outcome.facts["digests"]["samples"]
    assert about["latest_run"] == run.name


def test_json_of_run_is_the_settled_one(finished: tuple[Path, list[str], Outcome]) -> None:
    facts = json.loads(json.dumps(finished[2].to_json(), allow_nan=False))
    assert facts["report"] == str(finished[0] / "report.html")
    assert set(facts["splits"]) == {"val", "test"}
    test, val = facts["splits"]["test"], facts["splits"]["val"]
    assert set(test["top1"]) >= {"value", "low", "high", "n"}
    assert test["top1"]["n"] == 90
    assert 0 <= test["top1"]["low"] <= test["top1"]["value"] <= test["top1"]["high"] <= 1
    assert (test["look"], val["look"]) == (1, None)
    assert {"top5", "nll", "ece"} <= set(val)
    assert all(len(d) == 64 for d in facts["digests"].values())


def test_numbers_can_be_computed_again_from_the_stored_predictions(finished: tuple[Path, list[str], Outcome]) -> None:
    study, _, outcome = finished
    [run] = (study / "runs").iterdir()
    for split in ("val", "test"):
        stored = Predictions.read(run / f"predictions-{split}.parquet")
        assert sl.metrics.top1(stored).value == outcome.facts["splits"][split]["top1"]["value"]


def test_second_run_is_refused_before_training_and_goes_on_with_a_note(
    study: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines: list[str] = []

    def run(**more: Any) -> Outcome:
        return verb("run")("digits", study, **DIGITS, tell=lines.append, **more)

    with monkeypatch.context() as patch:
        patch.setattr(models.training, "train", lambda *_, **__: pytest.fail("trained before the look was allowed"))
        with pytest.raises(LedgerError, match="--note"):
            run()
    assert [line.split()[0] for line in lines] == ["index", "split", "audit"]
    assert lines[0].endswith("kept")
    assert lines[1].endswith("kept")
    outcome = run(note="again, to see that it is the same")
    assert outcome.facts["splits"]["test"]["look"] == 2
    assert "look 2 at the test set" in outcome.lines()[0]


def test_changed_source_is_listed_and_split_again(photo_folder: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    reading: dict[str, Any] = {"limit": None, "classes": None, "group": (), "time": None}
    chain._index(str(photo_folder), study, reading)
    verb("split")(study)
    assert chain._index(str(photo_folder), study, reading).summary.endswith("kept")
    assert chain._split(study, NO_WISH).summary.endswith("kept")

    picture = photo_folder / "train" / "dark" / "000.jpg"
    later = (study / "samples.parquet").stat().st_mtime + 10
    os.utime(picture, (later, later))  # same name and size: perhaps other pixels
    assert not chain._index(str(photo_folder), study, reading).summary.endswith("kept")

    picture.unlink()
    assert not chain._index(str(photo_folder), study, reading).summary.endswith("kept")
    assert not chain._split(study, NO_WISH).summary.endswith("kept")


def test_splits_of_other_samples_are_refused(photo_folder: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    prepare(photo_folder, study)
    (photo_folder / "train" / "dark" / "000.jpg").unlink()
    verb("index")(photo_folder, study)
    with pytest.raises(DataError, match="sightline split"):
        verb("audit")(study)


def test_one_photo_folder_from_end_to_end(photo_folder: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    (photo_folder / "test" / "dark" / "007.jpg").write_bytes(b"\xff\xd8\xff cut short")
    outcome = verb("run")(str(photo_folder), study, recipe="photo.scratch", changes=QUICK, device="cpu", tell=str)
    test = outcome.facts["splits"]["test"]
    assert test["top1"]["n"] == 16, "the unreadable image counts"
    assert [f["key"] for f in test["failures"]] == ["test/dark/007.jpg"]

    out = tmp_path / "said.csv"
    damaged = photo_folder / "test" / "dark" / "007.jpg"
    said = verb("predict")(study, [str(photo_folder / "val"), str(damaged)], out=str(out))
    assert said.facts == {"images": 17, "unreadable": 1}
    header, *rows = out.read_text().splitlines()
    assert "p(bright)" in header
    assert len(rows) == 17

    again = verb("evaluate")(study, split="val")
    assert again.facts["splits"]["val"]["top1"] == outcome.facts["splits"]["val"]["top1"]
    stored = json.loads((again.wrote or study).read_text())
    assert set(stored["splits"]) == {"val", "test"}, "scoring val again keeps the score of the look"
    sealed = sl.Splits.read(study / "splits.parquet").test
    assert sealed is not None
    assert len(Ledger(study / "ledger.jsonl").looks(sealed.fingerprint)) == 1


@pytest.mark.parametrize("wrong", [{"changes": ["epochs=1"]}, {"recipe": "cifer10.fast"}])
def test_a_recipe_that_cannot_be_is_told_before_the_audit(
    wrong: dict[str, Any], photo_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=r"epochs|cifer10"):
        verb("run")(str(photo_folder), tmp_path / "s", **wrong, tell=str)
    assert (tmp_path / "s/samples.parquet").exists()
    assert not (tmp_path / "s/findings.parquet").exists()


def test_failing_checklist_stops_run(photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = {"name": "layout", "level": "fail", "message": "no.", "todo": "Do this."}
    failing = Outcome(verb="check", summary="0 of 1 pass", is_good=False, facts={"checks": [line]})
    monkeypatch.setattr(models, "check", lambda *_, **__: failing)
    monkeypatch.setattr(models, "train", lambda *_, **__: pytest.fail("trained"))
    with pytest.raises(RecipeError, match=r"layout: no\. Do this\."):
        verb("run")(str(photo_folder), tmp_path / "study", tell=str)


def test_without_a_test_split_results_are_selected_on_val(photo_folder: Path, tmp_path: Path) -> None:
    study, fast = tmp_path / "study", {"recipe": "photo.scratch", "changes": QUICK, "device": "cpu", "tell": str}
    outcome = verb("run")(str(photo_folder / "train"), study, test=0.0, **fast)
    assert set(outcome.facts["splits"]) == {"val"}
    assert "selected on val, there is no test set" in outcome.lines()[0]
    assert not (study / "ledger.jsonl").exists()
    with pytest.raises(SplitError, match="no test split"):
        verb("evaluate")(study, split="test")
    with pytest.raises(LedgerError, match="no effect"):
        verb("evaluate")(study, split="val", note="why not")


def test_without_val_and_test_there_is_a_page_and_no_number(photo_folder: Path, tmp_path: Path) -> None:
    study, fast = tmp_path / "study", {"recipe": "photo.scratch", "changes": QUICK, "device": "cpu", "tell": str}
    outcome = verb("run")(str(photo_folder / "train"), study, val=0.0, test=0.0, **fast)
    assert outcome.facts["splits"] == {}
    assert outcome.lines()[0].startswith("no number")
    assert (study / "report.html").exists()


@pytest.mark.parametrize("call", [("split",), ("audit",), ("check",), ("train",), ("evaluate",), ("report",)])
def test_verbs_before_their_time_name_the_verb_that_is_missing(call: tuple[str], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="sightline index"):
        verb(call[0])(tmp_path)
    sl.Study.create(tmp_path)
    with pytest.raises(DataError, match="sightline index"):
        verb(call[0])(tmp_path)


def test_predict_refuses_what_is_no_model_or_no_image(study: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no model"):
        verb("predict")(tmp_path / "nothing.pt", ["x.jpg"])
    with pytest.raises(DataError, match="does not exist"):
        verb("predict")(study, [str(tmp_path / "x.jpg")])
    with pytest.raises(DataError, match=r"\.parquet or \.csv"):
        verb("predict")(study, ["x.jpg"], out="x.xlsx")


def test_newer_study_is_refused_by_every_verb(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    about = json.loads((study / "study.json").read_text())
    (study / "study.json").write_text(json.dumps({**about, "version": 99}))
    for name in ("split", "audit", "check", "train", "evaluate", "report"):
        assert cli.main([name, str(study), "--json"]) == 2
        assert json.loads(capsys.readouterr().out)["error"]["type"] == "VersionError"


WRITERS = {
    "index": lambda study: verb("index")("digits", study),
    "split": lambda study: verb("split")(study, seed=5),
    "audit": lambda study: verb("audit")(study),
    "evaluate": lambda study: verb("evaluate")(study, split="val"),
    "report": lambda study: verb("report")(study),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("failure", [OSError(28, "No space left"), KeyboardInterrupt()], ids=["full", "killed"])
@pytest.mark.parametrize("survived", [0, 1])
def test_a_full_disk_or_a_kill_leaves_whole_artifacts(
    name: str, failure: BaseException, survived: int, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = in_study(study)
    written, real = [], os.fsync

    def fsync(f: int) -> None:
        if len(written) == survived:
            raise failure
        written.append(f)
        real(f)

    with monkeypatch.context() as patch:
        patch.setattr(artifacts.os, "fsync", fsync)
        with pytest.raises((DataError, KeyboardInterrupt)) as caught:
            WRITERS[name](study)
    if isinstance(failure, OSError):
        assert "run the command again" in str(caught.value)
    after = in_study(study)
    assert set(after) == set(before), "nothing half-written is left behind"
    assert sum(after[p] != before[p] for p in before) <= survived
    WRITERS[name](study)
