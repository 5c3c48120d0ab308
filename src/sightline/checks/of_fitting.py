"""Lines about the fitting: optimizer, schedule, batch, precision, regularization, processes, seed and files."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import torch
from torch import nn

from sightline.augmentation import RandomResizedCrop
from sightline.checklist import Check
from sightline.checks.case import Case, fails, passes, warns
from sightline.errors import RecipeError
from sightline.optimization import resolve_precision
from sightline.recipes import AdamW, Muon, Sgd
from sightline.recipes.optimizers import Optimizer

USUAL_LR: dict[type[Optimizer], tuple[float, float]] = {Sgd: (1e-3, 5.0), AdamW: (1e-5, 1e-2), Muon: (1e-3, 1.0)}
"""Peak learning rates outside of which runs from random weights fail more often than not."""

TUNING_LR: dict[type[Optimizer], float] = {Sgd: 0.05, AdamW: 1e-3, Muon: 0.05}
"""Above it, published weights are forgotten before they are used."""

FEW_UPDATES = 100
FEW_EPOCHS = 30
"""Below it strong regularization costs more than it gives: the network never gets to fit."""

STATES = {Sgd: 1, AdamW: 2, Muon: 1}
"""Arrays of the model's size that an optimizer keeps."""


def optimizer(case: Case) -> Check:
    """A peak learning rate of the usual order, weight decay on weights alone."""
    chosen, peak = case.recipe.optimizer, case.recipe.peak_lr
    low, high = USUAL_LR[type(chosen)]
    name = type(chosen).__name__
    message = f"{name}, peak lr {peak:g}, weight decay {chosen.weight_decay:g}, none on norms and biases"
    if case.recipe.model.pretrained and case.recipe.model.trainable == "all" and peak > TUNING_LR[type(chosen)]:
        todo = f"Try optimizer.lr={TUNING_LR[type(chosen)]:g}."
        return warns("optimizer", f"{message}: high for published weights", todo)
    if not low <= peak <= high:
        return warns("optimizer", f"{message}: outside of the usual {low:g} … {high:g}", "Set optimizer.lr inside.")
    return passes("optimizer", message)


def schedule(case: Case) -> Check:
    """The rate rises, falls, and has time for both."""
    recipe = case.recipe
    try:
        updates = recipe.updates(case.updates_per_epoch)
    except RecipeError as e:
        return fails("schedule", str(e), "Shorten schedule.warmup or lengthen duration.")
    warmup = recipe.schedule.warmup.updates(case.updates_per_epoch)
    end = recipe.lr_factor(updates - 1, case.updates_per_epoch)
    message = f"{updates:,} updates in {case.epochs} epochs, {warmup:,} of warm-up, ending at {end:.3g} of the peak"
    if updates < FEW_UPDATES:
        return warns("schedule", message, "So few updates hardly train: more epochs or a smaller batch_size.")
    if not warmup and not isinstance(recipe.optimizer, Sgd):
        return warns("schedule", message, "Adaptive optimizers start badly without warm-up: schedule.warmup=Epochs(1).")
    return passes("schedule", message)


def batch_size(case: Case) -> Check:
    """Batches that the data can fill."""
    size, n = case.recipe.batch_size, len(case.train)
    left = n % size if n > size else 0
    message = f"{size}, {case.updates_per_epoch:,} updates an epoch"
    if size > n:
        return warns("batch size", f"{message}: only {n} training images", f"Set batch_size={max(8, n // 8)}.")
    if case.updates_per_epoch < 4:
        return warns("batch size", message, f"A smaller batch gives more updates: batch_size={max(8, n // 16)}.")
    return passes("batch size", f"{message}, {left} images wait for another epoch" if left else message)


def lr_scaling(case: Case) -> Check:
    """Whether the rate follows the batch size is said, not guessed."""
    chosen = case.recipe.optimizer
    reference, size = chosen.reference_batch_size, case.recipe.batch_size
    if reference is None:
        return passes("lr scaling", f"none: lr {chosen.lr:g} is meant for batches of {size}")
    message = f"linear: {chosen.lr:g} × {size} / {reference} = {case.recipe.peak_lr:g}"
    if isinstance(chosen, AdamW) and not 1 / 4 <= size / reference <= 4:
        return warns("lr scaling", message, "Adaptive optimizers scale about by the square root: set lr for it.")
    return passes("lr scaling", message)


def precision(case: Case) -> Check:
    """Mixed precision where the device gains by it."""
    asked, device = case.recipe.precision, case.device
    used = str(resolve_precision(asked, device, case.module)).removeprefix("torch.")
    faster = str(resolve_precision("auto", device, case.module)).removeprefix("torch.")
    message = f"{used} on {device.type} ({'chosen for this device and model' if asked == 'auto' else 'as asked'})"
    if used != faster:
        return warns("precision", message, f"{faster} is faster here: precision=auto.")
    return passes("precision", message)


def clipping(case: Case) -> Check:
    """Gradients of attention are clipped."""
    norm = case.recipe.clip_norm
    if norm is not None:
        return passes("clipping", f"gradient norm at most {norm:g}")
    attends = any("attention" in type(m).__name__.lower() for m in case.module.modules())
    if attends:
        return warns("clipping", "off, for a model with attention", "Its gradients spike: clip_norm=1.")
    return passes("clipping", "off; the model has no attention")


def regularization(case: Case) -> Check:
    """Strong regularization only where there is time to overcome it."""
    signs = _strong(case)
    message = f"{case.epochs} epochs, {', '.join(signs) if signs else 'moderate'}"
    if len(signs) >= 2 and case.epochs < FEW_EPOCHS and not case.recipe.model.pretrained:
        return warns("regularization", message, f"Fewer of these, or {FEW_EPOCHS} epochs and more.")
    ema = case.recipe.ema
    if ema is not None and 1 / (1 - ema.decay) > case.updates / 4:
        return warns("regularization", f"{message}; the average of weights looks back {1 / (1 - ema.decay):,.0f} of "
                     f"{case.updates:,} updates", "Set ema.decay lower, so that it forgets the start.")  # fmt: skip
    return passes("regularization", message)


def _strong(case: Case) -> list[str]:
    recipe = case.recipe
    crops = [t.scale[0] for t in recipe.augmentation.transforms if isinstance(t, RandomResizedCrop)]
    dropped = {k: v for k, v in recipe.model.options.items() if "drop" in k and isinstance(v, float) and v > 0.2}
    decay = recipe.optimizer.weight_decay
    limit = 0.1 if isinstance(recipe.optimizer, AdamW) else 2e-3
    return [
        *([f"label smoothing {recipe.loss.label_smoothing:g}"] if recipe.loss.label_smoothing >= 0.1 else []),
        *(f"crops down to {100 * low:.0f} % of the image" for low in crops if low < 0.2),
        *(f"{name} {value:g}" for name, value in dropped.items()),
        *([f"weight decay {decay:g}"] if decay >= limit else []),
    ]


def processes(case: Case) -> Check:
    """As many processes as there are accelerators, each with its share of the batch."""
    world, size = case.world, case.recipe.batch_size
    if min(size, len(case.train)) < world.size:
        return fails("processes", f"{world.size} processes for batches of {size}", "Start fewer, or raise batch_size.")
    accelerators = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if accelerators > 1 and world.size == 1 and case.device.type == "cuda":
        return warns("processes", f"one process, {accelerators} accelerators",
                     f"torchrun --nproc-per-node {accelerators} -m sightline train …")  # fmt: skip
    if world.size == 1:
        return passes("processes", f"one, on {case.device}, {torch.get_num_threads()} threads")
    norms = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in case.module.modules())
    share = f"{world.size}, up to {math.ceil(size / world.size)} samples of a batch each, gradients summed"
    return passes("processes", f"{share}{', batch statistics over all' if norms else ''}")


def seed(case: Case) -> Check:
    """Nothing random is left to chance."""
    return passes("seed", f"{case.recipe.seed}: weights, order, augmentation and dropout follow from it")


def files(case: Case) -> Check:
    """Log, checkpoints and resuming have room."""
    arrays = 3 + STATES[type(case.recipe.optimizer)] + (case.recipe.ema is not None)
    needed = 4 * arrays * sum(p.numel() for p in case.module.parameters())
    free = shutil.disk_usage(Path.cwd()).free
    message = f"log.jsonl, best.pt and last.pt after each epoch, about {needed / 2**20:,.0f} MiB; --resume continues"
    if free < 2 * needed:  # a file is written beside its predecessor before it takes its place
        return fails("files", f"{message}; {free / 2**20:,.0f} MiB are free", "Free space on the disk.")
    return passes("files", message)
