"""What the training will take: a few real updates on real batches, on a network that is thrown away."""

from __future__ import annotations

import copy
import math
import resource
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from sightline import models
from sightline.checklist import Check
from sightline.checks.case import Case, fails, passes, warns
from sightline.loading import Loader
from sightline.loading.loader import CACHE_BYTES
from sightline.optimization import Fit, build_fit, set_lr, train_step
from sightline.process import choose_threads, prepared

BATCHES = 4
"""Batches timed in each of two passes: images are decoded in the first and kept for the second."""

BUDGET_S = 6.0
"""After which no more than two updates of an image size are timed."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Seconds of an update at one image size."""

    first_s: float
    """While images are still decoded."""
    later_s: float


def measure(case: Case) -> tuple[Mapping[str, float | int | str], list[Check]]:
    """The estimate, and the lines that only real updates can tell: the first loss, and memory."""
    losses: list[float] = []
    sizes = [case.recipe.train_size(e, case.epochs) or case.size for e in range(case.epochs)]
    with prepared(case.device):
        choose_threads(min(case.recipe.batch_size, len(case.train)) * case.size[0] * case.size[1])  # as training does
        torch.manual_seed(case.recipe.seed)
        fit = _fit(case)
        until = time.monotonic() + BUDGET_S
        at = {size: _timed(case, fit, size, losses, until) for size in dict.fromkeys(sizes)}
        val_s = _validation_s(case, fit)
    upe = case.updates_per_epoch
    total = sum(at[size].first_s if epoch == 0 else at[size].later_s for epoch, size in enumerate(sizes)) * upe
    total *= case.updates / (upe * len(sizes))  # the last epoch may be cut short
    total += val_s * case.num_val * len(sizes)
    memory = _memory_mib(case)
    estimate: dict[str, float | int | str] = {
        "training_min": _rounded(total / 60),
        "images_per_s": round(case.recipe.batch_size / at[sizes[-1]].later_s),
        "memory_mib": round(memory),
        "updates": case.updates,
        "device": case.device.type,
    }
    return estimate, [_first_loss(case, losses), _memory(case, memory)]


def _fit(case: Case) -> Fit:
    module = copy.deepcopy(case.module).to(case.device).to(memory_format=torch.channels_last)
    models.set_training(module, case.recipe.model.trainable)
    return build_fit(module, models.head_of(module), case.recipe, len(case.samples.classes), case.device)


def _timed(case: Case, fit: Fit, size: tuple[int, int], losses: list[float], until: float) -> Measured:
    recipe = case.recipe
    order = np.random.default_rng(recipe.seed).permutation(case.train)[: BATCHES * recipe.batch_size]
    loader = Loader(case.samples.take(np.sort(order)), preprocessing=case.contract, augmentation=recipe.augmentation,
                    batch_size=recipe.batch_size, seed=recipe.seed, device=case.device)  # fmt: skip
    passes_s: list[list[float]] = []
    for epoch in range(2):
        seconds: list[float] = []
        mark = time.monotonic()
        for batch in loader.epoch(epoch, size=size):
            set_lr(fit.optimizers, recipe.lr_factor(0, case.updates_per_epoch))
            loss = train_step(fit, batch.images_bchw, batch.targets, len(batch))
            losses.append(float(loss) / len(batch))  # reading it waits for the device
            now = time.monotonic()
            seconds.append(now - mark)
            mark = now
            if now > until and (epoch or len(seconds) > 1):
                break
        passes_s.append(seconds)
    # The very first update also pays for allocating memory and choosing kernels.
    first = passes_s[0][1:] or passes_s[0]
    return Measured(first_s=statistics.fmean(first), later_s=statistics.median(passes_s[1]))


@torch.inference_mode()
def _validation_s(case: Case, fit: Fit) -> float:
    """Seconds of an image in validation."""
    images = torch.zeros((min(64, case.recipe.batch_size), case.contract.num_channels, *case.size), device=case.device)
    fit.model.eval()
    for _ in range(2):
        start = time.monotonic()
        float(fit.model(images.to(memory_format=torch.channels_last)).sum())
    return (time.monotonic() - start) / len(images)


def _memory_mib(case: Case) -> float:
    """Most memory that this process has held, and the loader's cache, in MiB; of the accelerator where there is one."""
    if case.device.type == "cuda":
        return torch.cuda.max_memory_allocated(case.device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10 + min(CACHE_BYTES, _cache_bytes(case)) / 2**20


def _cache_bytes(case: Case) -> int:
    if case.recipe.augmentation.view is None:
        return len(case.train) * math.prod(case.size) * case.contract.num_channels
    areas = case.image["height"].astype(np.int64) * case.image["width"]
    return int(areas.sum()) * case.contract.num_channels


def _first_loss(case: Case, losses: list[float]) -> Check:
    """An untrained classifier knows nothing: its loss is that of guessing."""
    chance = math.log(len(case.samples.classes))
    message = f"loss {losses[0]:.2f} in the first update, guessing has {chance:.2f}"
    if not all(map(math.isfinite, losses)):
        return fails("first updates", "the loss is no number within the first updates",
                     "Lower optimizer.lr, lengthen schedule.warmup, or set clip_norm=1.")  # fmt: skip
    if losses[0] > 3 * chance + 1:
        return warns("first updates", f"{message}: far above", "Check the initial weights and the normalization.")
    return passes("first updates", message)


def _memory(case: Case, needed_mib: float) -> Check:
    available = _available_mib(case)
    message = f"about {needed_mib:,.0f} of {available:,.0f} MiB"
    if needed_mib > 0.9 * available:
        return warns("memory", message, f"Set micro_batch_size={max(1, case.recipe.batch_size // 4)}.")
    return passes("memory", message)


def _available_mib(case: Case) -> float:
    if case.device.type == "cuda":
        return torch.cuda.get_device_properties(case.device).total_memory / 2**20
    with open("/proc/meminfo", encoding="ascii") as f:
        kib = {line.split(":")[0]: int(line.split()[1]) for line in f}
    mine = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (kib["MemAvailable"] + mine) / 2**10


def _rounded(minutes: float) -> float:
    """Two digits: the estimate is no better."""
    return float(f"{minutes:.2g}")
