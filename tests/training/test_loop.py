from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from sightline import checkpoint, models, optimization
from sightline.augmentation import CutMix, MixUp
from sightline.errors import ContractError, DataError, RecipeError
from sightline.indexing import index
from sightline.optimization import Fit, loss_sum
from sightline.recipes import AdamW, Ema, Epochs, Model, Muon, Recipe, Sgd, Steps, TrainSize, WarmupCosine
from sightline.runs import Run
from sightline.samples import SampleTable
from sightline.splits import Splits
from sightline.training import loop, train
from tests.training.material import divided, recipe, stripes

TIMED = {"images_per_s", "wait_share", "time_s", "val_time_s"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[SampleTable, Splits]:
    samples = stripes(tmp_path_factory.mktemp("stripes"))
    return samples, divided(samples)


def _untimed(run: Run) -> list[dict[str, Any]]:
    lines = [line for line in run.log() if line["kind"] != "resume"]
    return [{k: v for k, v in line.items() if k not in TIMED} for line in lines]


class Killed(BaseException):
    """What a kill is to the loop: nothing after it runs."""


def _stopping(at: int, how: Callable[[], None]) -> Callable[..., Tensor]:
    """The usual update, which calls `how` when `at` updates have been made."""
    count = 0

    def step(*arguments: Any) -> Tensor:
        nonlocal count
        loss = optimization.train_step(*arguments)
        count += 1
        if count == at:
            how()
        return loss

    return step


def _kill() -> None:
    raise Killed


RECIPES = {
    "plain": recipe(),
    # Whatever has a state: averaged weights, moments, dropout, sizes that change, micro-batches that do not divide.
    "all": recipe(ema=Ema(decay=0.8), optimizer=AdamW(lr=0.01), micro_batch_size=5, clip_norm=0.5, train_sizes=(
        TrainSize(start=0, size=(8, 8)), TrainSize(start=0.6, size=(12, 12)))),
    "muon": recipe(optimizer=Muon(lr=0.1, head_lr=0.2)),
}  # fmt: skip


@pytest.fixture(scope="module")
def whole(data: tuple[SampleTable, Splits], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Runs that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole")
    return {name: train(r, *data, out=out) for name, r in RECIPES.items()}


@pytest.fixture(params=RECIPES)
def uninterrupted(request: pytest.FixtureRequest, whole: dict[str, Run]) -> Run:
    return whole[request.param]


NUM_STEPS = 9  # 3 epochs of 3 batches of 16 out of 54


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
    act = _kill if how.startswith("killed") else lambda: os.kill(os.getpid(), signal.SIGTERM)
    monkeypatch.setattr(loop, "train_step", _stopping(at, act))
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


def test_dropout_differs_between_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = {loop._dropout_seed(seed, step, rank) for seed in (0, 1) for step in range(50) for rank in (0, 1)}
    assert len(seeds) == 200


def test_ctrl_c_stops_after_the_update_and_puts_the_handlers_back(
    data: tuple[SampleTable, Splits], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(loop, "train_step", _stopping(4, lambda: os.kill(os.getpid(), signal.SIGINT)))
    with pytest.raises(KeyboardInterrupt):
        train(recipe(), *data, out=tmp_path)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    run = Run.open(next(tmp_path.iterdir()), *data)
    assert not run.is_finished
    assert checkpoint.load(run.last).step == 4


def test_log_best_and_run_json_agree(uninterrupted: Run) -> None:
    epochs = [line for line in uninterrupted.log() if line["kind"] == "epoch"]
    assert [line["epoch"] for line in epochs] == [1, 2, 3]
    assert [line["step"] for line in epochs] == [3, 6, 9]
    best = max(epochs, key=lambda line: (line["val_top1"], -line["val_nll"]))
    about = uninterrupted.about
    assert about["finished"]
    assert about["best"] == {"step": best["step"], "val_top1": best["val_top1"]}
    stored = checkpoint.load(uninterrupted.best)
    assert (stored.step, stored.val_top1, stored.resume) == (best["step"], best["val_top1"], None)
    assert stored.weights_digest == about["weights"]
    assert checkpoint.load(uninterrupted.last).step == NUM_STEPS
    assert about["selected_by"].startswith("val top-1")
    assert uninterrupted.log()[0] == {"kind": "start", "step": 0, "total_steps": 9, "epochs": 3}
    assert "best val top-1" in repr(uninterrupted)


def test_learning_rates_in_the_log_are_the_schedules(uninterrupted: Run) -> None:
    r = uninterrupted.recipe
    for line in uninterrupted.log():
        if line["kind"] == "epoch":
            assert line["lr"] == r.peak_lr * r.lr_factor(line["step"] - 1, 3)


def test_every_update_gets_the_schedules_rate(
    data: tuple[SampleTable, Splits], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []

    def step(fit: Fit, *rest: Any) -> Tensor:
        seen.append(fit.optimizers[0].param_groups[0]["lr"])
        return optimization.train_step(fit, *rest)

    monkeypatch.setattr(loop, "train_step", step)
    r = recipe(duration=Steps(7), schedule=WarmupCosine(warmup=Steps(3)))
    run = train(r, *data, out=tmp_path)
    assert seen == [r.peak_lr * r.lr_factor(u, 3) for u in range(7)], (
        "as many updates as planned, each with its own rate"
    )
    assert [line["step"] for line in run.log() if line["kind"] == "epoch"] == [3, 6, 7]
    assert max(seen) == r.peak_lr


def test_training_loss_is_the_mean_over_samples_not_over_batches(
    data: tuple[SampleTable, Splits], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    totals: list[float] = []

    def step(*arguments: Any) -> Tensor:
        totals.append(float(loss := optimization.train_step(*arguments)))
        return loss

    monkeypatch.setattr(loop, "train_step", step)
    run = train(recipe(duration=Epochs(1)), *data, out=tmp_path)
    assert run.log()[1]["train_loss"] == pytest.approx(sum(totals) / 48, rel=1e-12)


def test_without_val_the_last_is_best_and_says_so(data: tuple[SampleTable, Splits], tmp_path: Path) -> None:
    samples = data[0]
    run = train(recipe(), samples, _without_val(data[1]), out=tmp_path)
    assert run.about["selected_by"] == "last epoch: there is no val split"
    assert checkpoint.load(run.best).step == NUM_STEPS
    assert checkpoint.load(run.best).weights_digest == checkpoint.load(run.last).weights_digest
    assert {line.get("val_top1") for line in run.log()} == {None}


def _without_val(splits: Splits) -> Splits:
    assert splits.val is not None
    return splits.without(splits.val.ids, reason="a test without val")


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
    monkeypatch.setattr(loop, "train_step", _stopping(1, _kill))
    with pytest.raises(Killed):
        train(recipe(), *data, out=tmp_path)
    monkeypatch.undo()
    run = train(recipe(), *data, out=tmp_path)
    assert [line["kind"] for line in run.log()] == ["start", "epoch", "epoch", "epoch", "end"]


def test_a_loss_that_is_no_number_stops_with_advice(data: tuple[SampleTable, Splits], tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"the loss is (nan|inf) .*Lower optimizer.lr"):
        train(recipe(optimizer=Sgd(lr=1e30)), *data, out=tmp_path)


def test_only_the_training_split_is_fitted(data: tuple[SampleTable, Splits], tmp_path: Path) -> None:
    """Other labels in val and test change nothing that is learnt."""
    samples, splits = data
    assert splits.val is not None
    train_rows = set(samples.positions(splits.train.ids).tolist())
    labels = [v if i in train_rows else (v + 1) % 3 for i, v in enumerate(samples.column("label"))]
    import pyarrow as pa

    field = samples.table.schema.field("label")
    table = samples.table.set_column(samples.table.schema.get_field_index("label"), field, pa.array(labels, field.type))
    other = SampleTable(table, samples.classes, samples.name, samples.roots)
    moved = Splits(splits.table, splits.how, other.digest, splits.fingerprint)
    a, b = train(recipe(), *data, out=tmp_path), train(recipe(), other, moved, out=tmp_path)
    assert checkpoint.load(a.last).weights_digest == checkpoint.load(b.last).weights_digest
    assert a.log()[-2]["val_top1"] != b.log()[-2]["val_top1"]


def test_unreadable_samples_are_skipped_in_train_and_wrong_in_val(tmp_path: Path) -> None:
    clean = stripes(tmp_path / "clean")
    splits = divided(clean)
    assert splits.val is not None
    bad = tuple(int(clean.positions([s.ids[0]])[0]) for s in (splits.train, splits.val))
    samples = stripes(tmp_path / "bad", unreadable=bad)
    run = train(recipe(), samples, Splits(splits.table, splits.how, samples.digest, splits.fingerprint), out=tmp_path)
    assert run.about["num_train"] == len(splits.train) - 1
    assert run.about["num_val"] == len(splits.val)
    top1 = [line["val_top1"] for line in run.log() if line["kind"] == "epoch"]
    assert all(t <= 1 - 1 / len(splits.val) for t in top1)
    assert all(abs(t * len(splits.val) - round(t * len(splits.val))) < 1e-9 for t in top1)


class Tiny(nn.Module):
    """A network of one's own, with nothing but what it needs."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(64 * in_channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(x.flatten(1))
        return logits


def test_ones_own_network_as_object_class_or_name(data: tuple[SampleTable, Splits], tmp_path: Path) -> None:
    own = Tiny(3, 1)
    start = own.fc.weight.detach().clone()
    run = train(recipe(), *data, out=tmp_path, model=own)
    assert torch.equal(own.fc.weight, start), "the object that was passed is not changed"
    stored = checkpoint.load(run.best)
    assert stored.recipe.model.name == "object:tests.training.test_loop.Tiny"
    with pytest.raises(ContractError, match="pass model="):
        stored.build()
    assert torch.equal(stored.build(Tiny(3, 1)).fc.weight, stored.weights["fc.weight"])  # type: ignore[union-attr, arg-type]
    made = train(recipe(), *data, out=tmp_path / "class", model=Tiny)
    assert made.is_finished
    named = train(recipe(model=Model(name="tests.training.test_loop:Tiny")), *data, out=tmp_path)
    assert isinstance(checkpoint.load(named.best).build(), Tiny)
    assert named.about["model"]["source"].startswith("sha256:")


def test_objects_with_other_weights_are_other_runs(data: tuple[SampleTable, Splits], tmp_path: Path) -> None:
    torch.manual_seed(1)
    first, second = Tiny(3, 1), Tiny(3, 1)
    a, b = (train(recipe(duration=Epochs(1)), *data, out=tmp_path, model=m) for m in (first, second))
    assert a.digest != b.digest


def test_ones_own_step(data: tuple[SampleTable, Splits], tmp_path: Path) -> None:
    calls: list[int] = []

    def step(fit: Fit, images: Tensor, labels: Tensor, denominator: int) -> Tensor:
        calls.append(denominator)
        loss = loss_sum(fit.model(images), labels, fit.loss)
        (loss / denominator).backward()
        for optimizer in fit.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        return loss.detach()

    plain = train(recipe(), *data, out=tmp_path)
    run = train(recipe(), *data, out=tmp_path, step=step)
    assert calls == [16] * NUM_STEPS
    assert run.digest != plain.digest, "another step is another training"
    assert run.about["model"]["step"].startswith("sha256:")
    assert run.about["weights"] == plain.about["weights"], "but this one does the same"


def test_head_alone(data: tuple[SampleTable, Splits], tmp_path: Path) -> None:
    r = recipe(model=Model(name="small_cnn", trainable="head", options={"width": 8}))
    run = train(r, *data, out=tmp_path)
    start = models.build(r.model, 3, 1, seed=r.seed).state_dict()
    end = checkpoint.load(run.last).weights
    assert {k for k in start if not torch.equal(start[k], end[k])} == {"head.weight", "head.bias"}


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda r: replace(r, duration=Epochs(1), schedule=WarmupCosine(warmup=Epochs(1))),
            RecipeError,
            "never reached",
        ),
        (lambda r: replace(r, model=Model(name="smal_cnn")), RecipeError, "Did you mean"),
    ],
)
def test_mistakes_are_found_before_anything_is_written(
    make: Callable[[Recipe], Recipe],
    error: type[Exception],
    message: str,
    data: tuple[SampleTable, Splits],
    tmp_path: Path,
) -> None:
    with pytest.raises(error, match=message):
        train(make(recipe()), *data, out=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


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


def test_images_that_vanish_are_left_out_and_reported_at_the_end_of_the_epoch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = stripes(tmp_path / "raw")
    for i, label in enumerate(raw.labels):
        folder = tmp_path / "files" / raw.classes.ids[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(raw.reader().pixels(i).values[..., 0]).save(folder / f"{i}.png")
    samples = index(str(tmp_path / "files")).hashed()
    splits = divided(samples)
    gone = samples.positions(splits.train.ids)[:2]
    for i in gone:
        samples.reader().path(int(i)).unlink()
    run = train(recipe(), samples, splits, out=tmp_path / "runs")
    lines = [line for line in run.log() if line["kind"] == "epoch"]
    assert max(line["left_out"] for line in lines) >= 1
    assert all(0 <= line["left_out"] <= 2 for line in lines)
    said = capsys.readouterr().err
    assert "images could be read when they were indexed and cannot be now, such as" in said
    assert "file is missing" in said


def test_a_run_is_not_continued_with_other_pixels(
    data: tuple[SampleTable, Splits], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "train_step", _stopping(4, _kill))
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


def test_mixed_images_are_fitted_to_shares_of_the_classes(data: tuple[SampleTable, Splits], tmp_path: Path) -> None:
    mixing = (MixUp(alpha=1.0), CutMix(alpha=1.0))
    mixed = recipe(augmentation=replace(recipe().augmentation, mixing=mixing))
    seen: list[Tensor] = []

    def step(fit: Fit, images: Tensor, targets: Tensor, denominator: int) -> Tensor:
        seen.append(targets)
        return optimization.train_step(fit, images, targets, denominator)

    run = train(mixed, *data, out=tmp_path, step=step)
    assert run.is_finished
    assert all(t.dtype == torch.float32 and t.ndim == 2 for t in seen)
    assert all(torch.allclose(t.sum(1), torch.ones(len(t))) for t in seen)
    assert any(((t > 0.05) & (t < 0.95)).any() for t in seen)
