"""A run that was stopped anywhere goes on as if it had not been."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from sightline import checkpoint
from sightline.errors import ContractError, DataError
from sightline.runs import Run
from sightline.samples import SampleTable
from sightline.splits import Splits
from sightline.training import loop, train
from tests.training.material import NUM_STEPS, recipe
from tests.training.stopping import Killed, kill, stopping

TIMED = {"images_per_s", "wait_share", "time_s", "val_time_s"}


def _untimed(run: Run) -> list[dict[str, Any]]:
    lines = [line for line in run.log() if line["kind"] != "resume"]
    return [{k: v for k, v in line.items() if k not in TIMED} for line in lines]


HOWS = ("terminated", "killed", "killed_saving_always")
CASES = [("all", how, at) for how in HOWS for at in range(1, NUM_STEPS)] + [
    ("plain", "terminated", 4),
    ("muon", "killed", 5),
]


@pytest.mark.parametrize(("name", "how", "at"), CASES)
def test_resumed_is_uninterrupted_to_the_last_bit(
    name: str, how: str, at: int, whole: dict[str, Run], data: tuple[SampleTable, Splits], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    uninterrupted = whole[name]
    act = kill if how.startswith("killed") else lambda: os.kill(os.getpid(), signal.SIGTERM)
    monkeypatch.setattr(loop, "train_step", stopping(at, act))
    if how == "killed_saving_always":
        monkeypatch.setattr(loop, "SAVE_EVERY_S", -1.0)
    with pytest.raises((Killed, SystemExit)):
        train(uninterrupted.recipe, *data, out=tmp_path)
    monkeypatch.undo()
    torch.manual_seed(at)  # whatever the process did before
    run = train(uninterrupted.recipe, *data, out=tmp_path, resume=True)
    assert run.directory.name == uninterrupted.directory.name
    for mine, theirs in ((run.best, uninterrupted.best), (run.last, uninterrupted.last)):
        assert checkpoint.load(mine).weights_digest == checkpoint.load(theirs).weights_digest
    mine, theirs = (checkpoint.load(r.last).resume for r in (run, uninterrupted))
    assert mine is not None
    assert theirs is not None
    for a, b in zip(_tensors(mine["optimizers"]), _tensors(theirs["optimizers"]), strict=True):
        assert torch.equal(a, b)
    assert _untimed(run) == _untimed(uninterrupted)
    assert run.about["weights"] == uninterrupted.about["weights"]
    expected = at if how == "terminated" else at - 1 if how == "killed_saving_always" else (at - 1) // 3 * 3
    resumed = [line["step"] for line in run.log() if line["kind"] == "resume"]
    assert resumed == ([expected] if expected else [])


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [t for part in parts for t in _tensors(part)]


def test_a_run_is_repeatable_and_the_seed_matters(
    uninterrupted: Run, data: tuple[SampleTable, Splits], tmp_path: Path
) -> None:
    again = train(uninterrupted.recipe, *data, out=tmp_path)
    assert again.about["weights"] == uninterrupted.about["weights"]
    other = train(replace(uninterrupted.recipe, seed=77), *data, out=tmp_path)
    assert other.about["weights"] != uninterrupted.about["weights"]


def test_ctrl_c_stops_after_the_update_and_puts_the_handlers_back(
    data: tuple[SampleTable, Splits], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(loop, "train_step", stopping(4, lambda: os.kill(os.getpid(), signal.SIGINT)))
    with pytest.raises(KeyboardInterrupt):
        train(recipe(), *data, out=tmp_path)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    run = Run.open(next(tmp_path.iterdir()), *data)
    assert not run.is_finished
    assert checkpoint.load(run.last).step == 4


def test_a_finished_run_is_kept_and_resume_returns_it(
    uninterrupted: Run, data: tuple[SampleTable, Splits], tmp_path: Path
) -> None:
    shutil.copytree(uninterrupted.directory, tmp_path / uninterrupted.directory.name)
    with pytest.raises(DataError, match="holds a run of this recipe"):
        train(uninterrupted.recipe, *data, out=tmp_path)
    log = uninterrupted.log_path.read_text()
    run = train(uninterrupted.recipe, *data, out=tmp_path, resume=True)
    assert run.is_finished
    assert [json.loads(line) for line in log.splitlines()] == run.log()


def test_a_run_killed_before_its_first_checkpoint_starts_afresh(
    data: tuple[SampleTable, Splits], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "train_step", stopping(1, kill))
    with pytest.raises(Killed):
        train(recipe(), *data, out=tmp_path)
    monkeypatch.undo()
    run = train(recipe(), *data, out=tmp_path)
    assert [line["kind"] for line in run.log()] == ["start", "epoch", "epoch", "epoch", "end"]


def test_a_full_disk_leaves_the_last_whole_checkpoint(
    data: tuple[SampleTable, Splits], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, count = torch.save, 0

    def full(value: object, path: Path) -> None:
        nonlocal count
        count += 1
        if count > 2:
            Path(path).write_bytes(b"half")
            raise OSError(28, "No space left on device")
        whole(value, path)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(DataError, match="No space left"):
        train(recipe(), *data, out=tmp_path)
    monkeypatch.undo()
    run = train(recipe(), *data, out=tmp_path, resume=True)
    assert [line["epoch"] for line in run.log() if line["kind"] == "epoch"] == [1, 2, 3]


def test_a_run_is_not_continued_with_other_pixels(
    data: tuple[SampleTable, Splits], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "train_step", stopping(4, kill))
    with pytest.raises(Killed):
        train(recipe(), *data, out=tmp_path)
    monkeypatch.undo()
    (path,) = tmp_path.glob("*/run.json")
    about = json.loads(path.read_text())
    assert about["loading"]["resize"].startswith("torch ")
    path.write_text(json.dumps(about | {"loading": about["loading"] | {"resize": "Pillow 9.0.0"}}))
    with pytest.raises(ContractError, match=r"resize by torch .*, before by Pillow 9.0.0.*former versions"):
        train(recipe(), *data, out=tmp_path, resume=True)
    path.write_text(json.dumps(about))
    assert train(recipe(), *data, out=tmp_path, resume=True).is_finished
