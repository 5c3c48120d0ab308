"""From a recipe and data to everything the loop works with; mistakes are found here, before the first step."""

from __future__ import annotations

import copy
import hashlib
import inspect
import math
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from sightline import models
from sightline.distributed import World, sync_batch_norm
from sightline.errors import DataError, RecipeError
from sightline.loading import Loader
from sightline.optimization import Averaged, Fit, Step, build_fit
from sightline.preprocessing import Preprocessing
from sightline.process import choose_threads
from sightline.recipes import Model, Recipe
from sightline.samples import SampleTable
from sightline.splits import Split, Splits, shows_several, verify

STEM_PIXELS = 1 << 22
"""Pixels of training images that a `fit_stem` sees: 4,096 images of 32 px, 256 of 128 px."""


Positions = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What the loop works with."""

    recipe: Recipe
    world: World
    fit: Fit
    averaged: Averaged | None
    preprocessing: Preprocessing
    train: Loader
    val: Loader | None
    num_train: int
    num_val: int
    source: str
    """Where the network's code came from."""
    facts: dict[str, Any]
    """What decides the result besides recipe and data: part of the run's identity."""

    @property
    def network(self) -> nn.Module:
        """The network that is validated and kept: the averaged one where the recipe averages."""
        return self.fit.model if self.averaged is None else self.averaged.network(self.fit.model)

    @property
    def updates_per_epoch(self) -> int:
        """Batches of an epoch; the samples of an incomplete last one wait for the next epoch's order."""
        return len(self.train)

    @property
    def total_updates(self) -> int:
        """Updates of the whole training."""
        return self.recipe.updates(self.updates_per_epoch)

    @property
    def num_epochs(self) -> int:
        """Epochs of the whole training, the last possibly cut short."""
        return math.ceil(self.total_updates / self.updates_per_epoch)


def prepare(
    recipe: Recipe, samples: SampleTable, splits: Splits, *, device: torch.device, world: World,
    model: nn.Module | Callable[..., nn.Module] | None, step: Step | None,
) -> Job:  # fmt: skip
    """Everything the loop works with, weights initialised. Raises before anything is written if it cannot work."""
    samples = samples.hashed()
    verify(samples, splits)
    train, val = _readable(samples, splits.train), _labelled(samples, splits.val)
    num_classes = len(samples.classes)
    _check_data(samples, len(train), num_classes, recipe.batch_size, world)
    if model is not None:
        recipe = replace(recipe, model=Model(name=_name_of(model), trainable=recipe.model.trainable))
    preprocessing = models.contract_of(recipe, samples, splits)
    module = _module(recipe, model, num_classes, preprocessing.num_channels)
    choose_threads(min(recipe.batch_size, len(train)) * preprocessing.size[0] * preprocessing.size[1])
    source = models.source_of(module, recipe.model.name)
    facts = {"name": recipe.model.name, "source": source, "architecture": _architecture(module, model),
             "step": _source_of_step(step)}  # fmt: skip
    share = partial(Loader, preprocessing=preprocessing, batch_size=recipe.batch_size, seed=recipe.seed,
                    rank=world.rank, world_size=world.size, device=device)  # fmt: skip
    loader = share(samples.take(train), augmentation=recipe.augmentation)
    fit_stem: Any = getattr(module, "fit_stem", None)
    if callable(fit_stem):
        num_images = max(1, STEM_PIXELS // (preprocessing.size[0] * preprocessing.size[1]))
        fit_stem(_images(samples.take(train[:: max(1, len(train) // num_images)]), preprocessing))
    module = module.to(device).to(memory_format=torch.channels_last)
    if world.size > 1:
        module = sync_batch_norm(module)
    fit = build_fit(module, models.head_of(module), recipe, num_classes, device)
    job = Job(
        recipe=recipe, world=world, fit=fit, averaged=Averaged(module, recipe.ema.decay) if recipe.ema else None,
        preprocessing=preprocessing, train=loader, source=source, facts=facts, num_train=len(train), num_val=len(val),
        val=share(samples.take(val)) if len(val) else None,
    )  # fmt: skip
    recipe.updates(job.updates_per_epoch)  # a warm-up longer than the training is a mistake to hear about now
    return job


def _readable(samples: SampleTable, split: Split) -> Positions:
    positions: Positions = samples.positions(split.ids)
    return np.asarray(positions[(samples.is_ok & samples.is_labelled)[positions]])


def _labelled(samples: SampleTable, split: Split | None) -> Positions:
    positions: Positions = samples.positions(split.ids if split is not None else ())
    return np.asarray(positions[samples.is_labelled[positions]])


def _check_data(samples: SampleTable, num_train: int, num_classes: int, batch_size: int, world: World) -> None:
    if shows_several(samples):
        raise DataError(f"{samples.name} has several labels a sample, and training takes one class a sample. Index a "
                        "view that has one (coco#crops, say), or a manifest with a column of classes.")  # fmt: skip
    if not num_train:
        raise DataError(f"{samples.name}: the training split has no readable labelled sample. Run sightline split "
                        "again, or see the reasons in samples.parquet.")
    if num_classes < 2:
        raise DataError(f"{samples.name} has one class ({samples.classes.ids[0]!r}); there is nothing to tell apart. "
                        "Index a source with at least two.")
    if min(batch_size, num_train) < world.size:
        raise RecipeError(f"a batch of {min(batch_size, num_train)} cannot be shared by {world.size} processes. "
                          "Raise batch_size or start fewer.")


def _module(
    recipe: Recipe, model: nn.Module | Callable[..., nn.Module] | None, num_classes: int, channels: int
) -> nn.Module:
    if model is None:
        return models.build(recipe.model, num_classes, channels, seed=recipe.seed)
    if isinstance(model, nn.Module):
        module = copy.deepcopy(model)  # the person's object keeps its weights: train() changes nothing it was given
    else:
        torch.manual_seed(recipe.seed)
        module = model(num_classes, channels)
    if recipe.model.trainable == "head":
        models.freeze(module, recipe.model.name)
    return module


def _name_of(model: nn.Module | Callable[..., nn.Module]) -> str:
    kind = type(model) if isinstance(model, nn.Module) else model
    return f"object:{kind.__module__}.{getattr(kind, '__qualname__', type(kind).__name__)}"


def _architecture(module: nn.Module, given: object) -> dict[str, Any]:
    """Number of parameters, and a digest of names and shapes; of the values too where an object was given."""
    h = hashlib.sha256()
    for name, t in module.state_dict().items():
        h.update(f"{name} {t.dtype} {tuple(t.shape)}".encode())
        if isinstance(given, nn.Module):
            h.update(t.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return {"num_parameters": sum(p.numel() for p in module.parameters()), "digest": h.hexdigest()}


def _source_of_step(step: Step | None) -> str | None:
    if step is None:
        return None
    path = inspect.getsourcefile(step) if inspect.isfunction(step) else None
    if path is None or not Path(path).exists():
        return "source unknown"
    return f"sha256:{hashlib.sha256(Path(path).read_bytes()).hexdigest()}"


def _images(samples: SampleTable, preprocessing: Preprocessing) -> torch.Tensor:
    """Images without augmentation, the same on every rank."""
    batches = Loader(samples, preprocessing=preprocessing, batch_size=500)
    return torch.cat([b.images_bchw.clone() for b in batches])


def environment(device: torch.device, world: World, precision: torch.dtype) -> dict[str, Any]:
    """What the result may depend on besides recipe and data."""
    packages = {name: version(name) for name in ("sightline", "torch", "numpy", "pyarrow", "Pillow")}
    accelerator = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        **packages, "python": platform.python_version(), "machine": platform.machine(), "system": platform.system(),
        "device": device.type, "accelerator": accelerator, "cpus": os.cpu_count(), "threads": torch.get_num_threads(),
        "processes": world.size, "precision": str(precision).removeprefix("torch."),
    }  # fmt: skip
