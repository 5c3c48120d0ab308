from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from sightline import checkpoint, optimization
from sightline.augmentation import CutMix, MixUp
from sightline.errors import RecipeError
from sightline.indexing import index
from sightline.optimization import Fit
from sightline.recipes import Epochs, Model, Recipe, Sgd, Steps, WarmupCosine
from sightline.runs import Run
from sightline.samples import SampleTable
from sightline.splits import Splits
from sightline.training import loop, train
from tests.training.material import NUM_STEPS, divided, recipe, stripes


def test_dropout_differs_between_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = {loop._dropout_seed(seed, step, rank) for seed in (0, 1) for step in range(50) for rank in (0, 1)}
    assert len(seeds) == 200


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
