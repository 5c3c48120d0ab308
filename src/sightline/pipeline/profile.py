"""The verb `profile`, applied to a study: the recipe's loader and the recipe's updates, timed together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from sightline import distributed, models
from sightline.artifacts import write_bytes
from sightline.digests import sha256_file
from sightline.loading import Batch
from sightline.loading.profile import profile as profiled
from sightline.optimization import set_lr, train_step
from sightline.pipeline.data import read_hashed, read_splits
from sightline.pipeline.outcome import Outcome
from sightline.pipeline.recipe import recipe_for
from sightline.process import prepared
from sightline.study import Study
from sightline.training.preparation import Job, prepare


def profile(study: str | Path, *, recipe: str | None = None, changes: Sequence[str] = (), pretrained: bool = False,
            device: str = "auto") -> Outcome:  # fmt: skip
    """Say where the loading time of a training goes and whether it waits for batches; the network is thrown away."""
    home = Study.open(study)
    samples = read_hashed(home)
    splits = read_splits(home, samples)
    choice = recipe_for(samples, recipe, changes, pretrained=pretrained)
    place = distributed.choose_device(device)
    with prepared(place):
        job = prepare(choice.recipe, samples, splits, device=place, world=distributed.World(), model=None, step=None)
        models.set_training(job.fit.model, choice.recipe.model.trainable)
        made = profiled(job.train, lambda batch: _update(job, batch))
    write_bytes(home.profile_path, made.svg().encode())
    digest = sha256_file(home.profile_path)
    home.record_artifact("profile", digest)
    named = {"recipe": choice.recipe.name, "device": place.type}
    details = [f"{'':9} {line}" for line in (*made.table(), *([made.todo] if made.todo else []))]
    return Outcome(verb="profile", summary=f"{choice.recipe.name} ({choice.reason}) · {made.verdict}",
                   facts={**named, **made.to_json()}, details=tuple(details), wrote=home.profile_path,
                   digest=digest)  # fmt: skip


def _update(job: Job, batch: Batch) -> Any:
    """One update as the training loop makes it, at the learning rate of the first."""
    set_lr(job.fit.optimizers, job.recipe.lr_factor(0, job.updates_per_epoch))
    images_bchw = batch.images_bchw.to(job.fit.device, non_blocking=True, memory_format=torch.channels_last)
    return train_step(job.fit, images_bchw, batch.targets.to(job.fit.device, non_blocking=True), len(batch))
