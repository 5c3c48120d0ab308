"""A model ready to be used: weights, the contract of its input, and what its outputs are called."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sightline import distributed
from sightline.distributed import World
from sightline.errors import ContractError
from sightline.inference import inputs
from sightline.inference.arithmetic import environment, exact_arithmetic
from sightline.inference.inputs import Image
from sightline.loading import Loader
from sightline.predictions import Predictions
from sightline.preprocessing import Preprocessing
from sightline.progress import progress
from sightline.samples import Classes, SampleTable

BATCH_PIXELS = 4_000_000
"""Pixels of a batch when nobody says how large: 79 images of 224 × 224; beyond it CPUs get no faster."""

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Part:
    """What one rank has computed."""

    positions: list[int]
    logits: Array
    unreadable: dict[int, str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Classifier:
    """A model that answers with the names of its classes."""

    module: nn.Module
    """images_bchw → logits_bk; put into evaluation mode for every prediction."""
    preprocessing: Preprocessing
    classes: Classes
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    digests: Mapping[str, str] = field(default_factory=dict)
    """Of the weights, and of the samples and splits they were fitted to."""

    def __post_init__(self) -> None:
        self.preprocessing.require_classes(self.classes.ids, "the classifier")

    def predict(
        self, images: SampleTable | Image | Iterable[Image], *, batch_size: int | None = None, exact: bool = False
    ) -> Predictions:
        """Predictions for every row of a sample table, for image files, or for arrays of pixels.

        Arrays are height × width × channels: uint8, uint16, or floats in [0, 1]. What cannot be read has the status
        `unreadable` and a reason; a logit that is not finite makes it `invalid`. Each sample is predicted once,
        whatever the batch size and the number of processes. `exact` resizes with Pillow. Raises ContractError where
        classes or pixels disagree with the model's, DataError when there is nothing to predict.
        """
        samples, arrays = self._asked(images)
        size = batch_size or int(np.clip(BATCH_PIXELS // math.prod(self.preprocessing.size), 8, 512))
        with distributed.joined(self.device.type) as world, exact_arithmetic():
            made = environment(self.device, world, exact_resize=exact or arrays is not None)
            batches = _of_arrays(arrays, self.preprocessing, size, world) if arrays is not None else _of_table(
                Loader(samples, preprocessing=self.preprocessing, batch_size=size, shuffle=False, exact=exact,
                       rank=world.rank, world_size=world.size))  # fmt: skip
            parts = distributed.gathered(self._part(batches, len(samples), world))
        logits, unreadable = _whole(parts, len(samples), len(self.classes))
        digests = {"samples": samples.digest, "preprocessing": self.preprocessing.digest, **self.digests}
        return Predictions.from_logits(samples, logits, unreadable=unreadable,
                                       meta={"digests": digests, "environment": made})  # fmt: skip

    def _asked(self, images: SampleTable | Image | Iterable[Image]) -> tuple[SampleTable, list[Array] | None]:
        if isinstance(images, SampleTable):
            if not images.is_labelled.any():  # a table without labels has no classes of its own to disagree
                return replace(images, classes=self.classes), None
            self.preprocessing.require_classes(images.classes.ids, images.name)
            return images, None
        several = inputs.listed(images)
        arrays = [i for i in several if isinstance(i, np.ndarray)]
        if arrays:
            return inputs.table_of_arrays(len(arrays), self.classes), arrays
        return inputs.table_of_files([i for i in several if not isinstance(i, np.ndarray)], self.classes), None

    def _part(self, batches: Iterable[_Batch], n: int, world: World) -> _Part:
        """Logits of this rank's share."""
        self.module.eval()
        positions: list[int] = []
        rows: list[Array] = []
        unreadable: dict[int, str] = {}
        with progress("predict", n) as advance:
            for mine, images_bchw, failed in batches:
                if len(mine):
                    rows.append(self._logits(images_bchw))
                positions += mine.tolist()
                unreadable |= dict(failed)
                if world.is_first:
                    advance((len(mine) + len(failed)) * world.size)
        none = np.zeros((0, len(self.classes)), np.float32)
        return _Part(positions, np.concatenate([none, *rows]), unreadable)

    def _logits(self, images_bchw: Tensor) -> Array:
        wanted, got = (self.preprocessing.num_channels, *self.preprocessing.size), tuple(images_bchw.shape[1:])
        if got != wanted:
            raise ContractError(f"images have the shape {got}, this model's contract says {wanted}.")
        out = self.module(images_bchw.to(self.device, non_blocking=True, memory_format=torch.channels_last))
        shape = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        if shape != (len(images_bchw), len(self.classes)):
            raise ContractError(f"the model must return logits of shape ({len(images_bchw)}, {len(self.classes)}), got "
                                f"{shape}. Give its last layer one output a class and return that tensor alone.")
        return np.asarray(out.float().cpu().numpy())

    def __repr__(self) -> str:
        return f"{type(self.module).__name__} · {len(self.classes)} classes · {self.preprocessing} · {self.device}"


_Batch = tuple[Array, Tensor, list[tuple[int, str]]]
"""Row numbers, images_bchw, and what could not be read with its reason."""


def _of_table(loader: Loader) -> Iterator[_Batch]:
    return ((b.positions, b.images_bchw, b.unreadable) for b in loader)


def _of_arrays(arrays: list[Array], contract: Preprocessing, size: int, world: World) -> Iterator[_Batch]:
    # Checked as a whole first: a mistake in the last array should not cost the work on all others.
    pixels = [contract.check_array(array, f"array {i}") for i, array in enumerate(arrays)]
    for start in range(world.rank, len(pixels), size * world.size):
        mine = np.arange(start, len(pixels), world.size)[:size]
        yield mine, torch.from_numpy(np.stack([contract(pixels[i], f"array {i}") for i in mine])), []


def _whole(parts: list[_Part], n: int, num_classes: int) -> tuple[Array, dict[int, str]]:
    """Logits of all ranks in the order of the samples, each predicted exactly once."""
    logits = np.full((n, num_classes), np.nan, np.float32)
    times = np.zeros(n, np.int64)
    unreadable: dict[int, str] = {}
    for part in parts:
        logits[part.positions] = part.logits
        np.add.at(times, np.array([*part.positions, *part.unreadable], np.int64), 1)
        unreadable |= part.unreadable
    if not (times == 1).all():
        raise RuntimeError(f"{int((times != 1).sum())} of {n} samples were not predicted exactly once")
    return logits, unreadable
