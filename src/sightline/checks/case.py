"""What the checklist looks at: a recipe, samples and splits, and what training would make of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from sightline.checklist import Check
from sightline.distributed import World
from sightline.preprocessing import Preprocessing
from sightline.recipes import Recipe
from sightline.samples import SampleTable
from sightline.splits import Splits

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A training that has not begun."""

    recipe: Recipe
    samples: SampleTable
    splits: Splits
    contract: Preprocessing
    module: nn.Module
    device: torch.device
    world: World

    @cached_property
    def train(self) -> Array:
        """Rows that will be trained on: readable and labelled."""
        rows = self.samples.positions(self.splits.train.ids)
        return np.asarray(rows[(self.samples.is_ok & self.samples.is_labelled)[rows]])

    @cached_property
    def num_val(self) -> int:
        """Samples that choose the best checkpoint."""
        rows = self.samples.positions(self.splits.val.ids if self.splits.val else ())
        return int(self.samples.is_labelled[rows].sum())

    @cached_property
    def class_counts(self) -> Array:
        """Training samples of each class."""
        labels = self.samples.table["label"].fill_null(-1).to_numpy()[self.train]
        return np.bincount(labels, minlength=len(self.samples.classes))

    @property
    def updates_per_epoch(self) -> int:
        """Whole batches; an incomplete one waits for the next epoch's order."""
        return max(1, len(self.train) // self.recipe.batch_size)

    @property
    def updates(self) -> int:
        """Of the whole training."""
        return max(1, self.recipe.duration.updates(self.updates_per_epoch))

    @property
    def epochs(self) -> int:
        """Of the whole training, the last possibly cut short."""
        return math.ceil(self.updates / self.updates_per_epoch)

    @cached_property
    def image(self) -> Mapping[str, Array]:
        """Height, width, bits and mode of the readable training images, where the header told."""
        column = self.samples.table["image"].combine_chunks().take(self.train)
        return {name: np.array([v for v in column.field(name).to_pylist() if v is not None])
                for name in ("height", "width", "bits", "mode")}  # fmt: skip

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that the model is validated and used at."""
        return self.contract.size


def passes(name: str, message: str) -> Check:
    """A line that passes."""
    return Check(name=name, level="pass", message=message)


def warns(name: str, message: str, todo: str) -> Check:
    """A line that advises."""
    return Check(name=name, level="warn", message=message, todo=todo)


def fails(name: str, message: str, todo: str) -> Check:
    """A line that must be put right before training."""
    return Check(name=name, level="fail", message=message, todo=todo)
