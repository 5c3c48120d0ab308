"""The training loop, top to bottom: prepare · resume · for epoch · for batch · validate · save.

Nothing random has a state: initial weights, order, augmentation and dropout are functions of the seed, the epoch, the
update and the sample. So a run that was killed after any update and resumed ends with the same bits as one that was
not, on the same machine and with the same number of threads and processes.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sightline import checkpoint, distributed, models
from sightline.errors import RecipeError
from sightline.optimization import Step, set_lr, train_step
from sightline.process import prepared
from sightline.progress import progress, say
from sightline.recipes import Recipe
from sightline.runs import Run
from sightline.samples import SampleTable
from sightline.splits import Splits
from sightline.training.interruption import Interruption
from sightline.training.preparation import Job, prepare
from sightline.training.resuming import Position, opened, write_best, write_last
from sightline.training.validation import Validation, validate

SAVE_EVERY_S = 300.0
"""Seconds between checkpoints inside an epoch; another is written after each epoch and on SIGINT or SIGTERM."""
CHECK_EVERY = 20
"""Updates between looks at the loss: each makes an accelerator wait."""


def train(
    recipe: Recipe, samples: SampleTable, splits: Splits, *, out: str | Path, device: str = "auto",
    resume: bool = False, model: nn.Module | Callable[..., nn.Module] | None = None, step: Step | None = None,
) -> Run:  # fmt: skip
    """The run that fits `recipe` to `splits.train`, in a directory below `out` named by its digest.

    The checkpoint with the highest val top-1 (of equals the lowest NLL) is `run.best`; without a val split it is the
    last one. `resume` continues an interrupted run of the same recipe, samples and splits, and returns a finished one
    as it is. `model` takes a network of one's own instead of the recipe's: a torch.nn.Module (copied, its weights are
    the start) or a function of (num_classes, in_channels). `step` replaces `optimization.train_step`. Under torchrun
    all processes call this and share each batch.

    Raises RecipeError, DataError or ContractError for what cannot work, before the first update.
    """
    place = distributed.choose_device(device, distributed.world_of_environment().local_rank)
    with distributed.joined(place.type) as world, prepared(place), Interruption() as interruption:
        job = prepare(recipe, samples, splits, device=place, world=world, model=model, step=step)
        run, position = opened(job, samples, splits, Path(out), resume)
        if not run.is_finished:
            _fit(job, run, position, step or train_step, interruption)
        if interruption.is_wished:  # it came when there was nothing left to stop
            interruption.leave()
    return run


def _fit(job: Job, run: Run, position: Position, step: Step, interruption: Interruption) -> None:
    """From `position` to the end."""
    models.set_training(job.fit.model, job.recipe.model.trainable)
    batch = min(job.recipe.batch_size, job.num_train)
    shown = progress("train", job.total_updates * batch) if job.world.is_first else nullcontext(_silent)
    with shown as advance:
        advance(position.step * batch)
        for epoch in range(position.epoch, job.num_epochs):
            _fit_epoch(job, run, position, step, interruption, advance)
            started = time.monotonic()
            result = _validated(job)
            is_best = _is_better(result, position)
            if is_best:
                position.best_step = position.step
                position.best_val_top1, position.best_val_nll = (result.top1, result.nll) if result else (None, None)
            line = _epoch_line(job, position, result, epoch + 1) | {"val_time_s": round(time.monotonic() - started, 3)}
            position.epoch, position.batch, position.loss_sum, position.seen = epoch + 1, 0, 0.0, 0
            position.time_s = position.wait_s = 0.0
            if job.world.is_first:
                if is_best:
                    write_best(job, run, position, result)
                run.write_line(line)  # before last.pt: a kill in between is rewound, never doubled
                write_last(job, run, position, result)
            distributed.wait()
            if epoch + 1 < job.num_epochs and distributed.summed([int(interruption.is_wished)], job.fit.device)[0]:
                interruption.leave()
    if job.world.is_first:
        best = {"step": position.best_step, "val_top1": position.best_val_top1}
        run.write_line({"kind": "end", "step": position.step, "best": best})
        run.record(finished=True, best=best, weights=checkpoint.load(run.best).weights_digest)
    distributed.wait()


def _fit_epoch(
    job: Job, run: Run, position: Position, step: Step, interruption: Interruption, advance: Callable[..., None]
) -> None:
    """The rest of the epoch that `position` stands in."""
    recipe, fit = job.recipe, job.fit
    loss_total = torch.tensor(position.loss_sum, dtype=torch.float64, device=fit.device)
    size = recipe.train_size(position.epoch, job.num_epochs)
    mark = saved = time.monotonic()
    for batch in job.train.epoch(position.epoch, size=size, start=position.batch):
        position.wait_s += time.monotonic() - mark
        [num_samples] = distributed.summed([len(batch.labels_b)], fit.device)
        set_lr(fit.optimizers, recipe.lr_factor(position.step, job.updates_per_epoch))
        torch.manual_seed(_dropout_seed(recipe.seed, position.step, job.world.rank))
        loss_total += step(fit, batch.images_bchw, batch.targets, num_samples)
        if job.averaged is not None:
            job.averaged.update(fit.model)
        position.step, position.batch = position.step + 1, position.batch + 1
        position.seen += num_samples
        position.time_s, mark = position.time_s + time.monotonic() - mark, time.monotonic()
        is_last = position.step == job.total_updates or position.batch == job.updates_per_epoch
        is_save_due = job.world.is_first and time.monotonic() - saved > SAVE_EVERY_S
        num_stops, num_saves = distributed.summed([int(interruption.is_wished), int(is_save_due)], fit.device)
        if is_last or num_stops or num_saves or position.step % CHECK_EVERY == 0:
            position.loss_sum = _finite(float(loss_total), position, recipe)
        advance(num_samples, f"epoch {position.epoch + 1}/{job.num_epochs}")
        if is_last:
            break
        if num_stops or num_saves:
            _save_inside_epoch(job, run, position, loss_total)
            saved = mark = time.monotonic()
        if num_stops:
            interruption.leave()
    position.loss_sum = distributed.summed([float(loss_total)], fit.device)[0]
    _report_losses(job, position)


def _left_out(job: Job, position: Position) -> int:
    """Samples of the epoch so far, of all ranks, that could not be read."""
    return position.batch * min(job.recipe.batch_size, job.num_train) - position.seen


def _report_losses(job: Job, position: Position) -> None:
    """Say at the end of an epoch how many images could not be read any more, and one of them."""
    count = _left_out(job, position)
    if not count or not job.world.is_first:
        return
    row, reason = next(iter(job.train.lost.items()), (None, ""))
    example = f", such as {job.train.samples.table['key'][row].as_py()} ({reason})" if row is not None else ""
    say(f"epoch {position.epoch + 1}: {count:,} of {count + position.seen:,} images could be read when they were "
        f"indexed and cannot be now{example}. They were left out.")


def _save_inside_epoch(job: Job, run: Run, position: Position, loss_total: torch.Tensor) -> None:
    position.loss_sum = distributed.summed([float(loss_total)], job.fit.device)[0]
    if job.world.is_first:
        write_last(job, run, position, None)
    # The first rank carries on with the sum of all; the others with what they add from here.
    loss_total.fill_(position.loss_sum if job.world.is_first else 0.0)
    distributed.wait()


def _validated(job: Job) -> Validation | None:
    if job.val is None:
        return None
    return validate(job.network, job.val, job.num_val, job.fit.device)


def _is_better(result: Validation | None, position: Position) -> bool:
    if result is None or position.best_val_top1 is None:
        return True
    if result.top1 != position.best_val_top1:
        return result.top1 > position.best_val_top1
    former, now = position.best_val_nll, result.nll
    return now is not None and (former is None or now < former)


def _epoch_line(job: Job, position: Position, result: Validation | None, epoch: int) -> dict[str, Any]:
    lr = job.recipe.peak_lr * job.recipe.lr_factor(position.step - 1, job.updates_per_epoch)
    time_s = max(position.time_s, 1e-9)
    return {
        "kind": "epoch", "epoch": epoch, "step": position.step, "lr": lr,
        "train_loss": position.loss_sum / position.seen, "val_top1": result.top1 if result else None,
        "val_nll": result.nll if result else None, "images_per_s": round(position.seen / time_s, 1),
        "wait_share": round(position.wait_s / time_s, 4), "time_s": round(position.time_s, 3),
        "left_out": _left_out(job, position),
    }  # fmt: skip


def _finite(loss_sum: float, position: Position, recipe: Recipe) -> float:
    if not math.isfinite(loss_sum):
        raise RecipeError(f"the loss is {loss_sum} after {position.step} steps (peak lr {recipe.peak_lr:g}). "
                          "Lower optimizer.lr, lengthen schedule.warmup, or set clip_norm=1.")
    return loss_sum


def _dropout_seed(seed: int, step: int, rank: int) -> int:
    """Seed of torch's generator for one update: dropout is then a function of (seed, update, rank), with no state."""
    return int.from_bytes(hashlib.sha256(f"dropout {seed} {step} {rank}".encode()).digest()[:8], "little") >> 1


def _silent(n: int = 1, note: str = "") -> None:
    """Progress of the ranks that do not talk."""
