"""Sightline's pixels inside other people's loops: a Dataset for torch's DataLoader, a transform for Hugging Face's.

Both give the bytes that a `Loader` gives for the same seed, epoch and sample, in any process and in any order.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset, Sampler

from sightline.augmentation import Augmentation
from sightline.errors import DataError, RecipeError, did_you_mean
from sightline.loading.framing import framing_of
from sightline.loading.given import GivenPixels, hash_of_key, pixels_of
from sightline.loading.order import shuffled
from sightline.loading.pixels import NativePixels
from sightline.loading.tiles import Tiles
from sightline.preprocessing import Preprocessing
from sightline.randomness import U64, Draws, hashes_of
from sightline.samples import SampleTable

WORKER = -2
"""The random stream of a worker's own generators; the order's is -1, the transforms' are 0 and above."""


class Epoch:
    """A number that all worker processes see change, those that live on between epochs included."""

    def __init__(self) -> None:
        self._value = torch.zeros((), dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    def __int__(self) -> int:
        return int(self._value)

    def set(self, epoch: int) -> None:
        """Change it for everybody."""
        self._value.fill_(epoch)

    def __deepcopy__(self, _: Any) -> Epoch:
        return self  # a library that copies what it was given must not cut the tie


class SampleDataset(Dataset[tuple[torch.Tensor, int]]):
    """Item i is row i of the table: its image [c, h, w], float32 and normalized, and its class id (-1: unlabelled)."""

    def __init__(
        self, samples: SampleTable, preprocessing: Preprocessing, augmentation: Augmentation | None, seed: int,
        exact: bool,
    ) -> None:  # fmt: skip
        self.samples, self.preprocessing, self.augmentation, self.seed = samples, preprocessing, augmentation, seed
        self._is_exact = exact
        self._transforms = _per_sample(augmentation)
        self._hashes = hashes_of(samples.ids)
        self._labels = samples.labels if augmentation is not None else samples.table["label"].fill_null(-1).to_numpy()
        self._epoch = Epoch()
        self._tiles: Tiles | None = None
        self._owner = 0
        self._tiles_of_this_process()  # what does not go together is told now

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"item {index} of {len(self)} samples")
        return self.__getitems__([index % len(self)])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[torch.Tensor, int]]:
        """Items of several rows: what a DataLoader asks for when it makes a batch."""
        rows = np.asarray(indices, np.int64)
        images = self._filled(rows).permute(0, 3, 1, 2)
        return [(image, int(label)) for image, label in zip(images, self._labels[rows], strict=True)]

    def _filled(self, rows: npt.NDArray[np.int64]) -> torch.Tensor:
        tiles = self._tiles_of_this_process()
        contract = self.preprocessing
        images = np.empty((len(rows), *contract.size, contract.num_channels), np.float32)
        for start in range(0, len(rows), tiles.num_rows):
            part = rows[start : start + tiles.num_rows]
            draws = Draws(self.seed, int(self._epoch), self._hashes[part])
            for place, reason in tiles.fill(part, draws, images[start : start + len(part)]):
                key = self.samples.table["key"][int(part[place])].as_py()
                raise DataError(
                    f"{self.samples.name}: {key} cannot be read any more ({reason}), and a Dataset can leave nothing "
                    "out. Restore the file, or run `sightline index` again; sl.Loader leaves such samples out."
                )
        return torch.from_numpy(images)

    def _tiles_of_this_process(self) -> Tiles:
        # Open files and locks do not survive a fork unharmed, so each process opens its own.
        if self._tiles is None or self._owner != os.getpid():
            native = NativePixels(self.samples, self.preprocessing, 0)
            self._tiles = Tiles(native, self.preprocessing, self._transforms, 0, is_exact=self._is_exact)
            self._owner = os.getpid()
        return self._tiles

    def __getstate__(self) -> dict[str, Any]:
        # `replace` leaves behind what the table has looked up so far.
        return {**self.__dict__, "samples": replace(self.samples), "_tiles": None}

    @property
    def epoch(self) -> int:
        """The epoch whose augmentation items have."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Change the epoch of items and of the sampler's order, in all workers; call it before each epoch."""
        self._epoch.set(epoch)

    def sampler(self, rank: int = 0, world_size: int = 1) -> Sampler[int]:
        """A sampler of the Loader's order: shuffled by (seed, epoch) with an augmentation, else the table's.

        The ranks share the epoch. Training leaves out a remainder of fewer than `world_size` samples, others each
        epoch; evaluation gives each sample to exactly one rank.
        """
        if not 0 <= rank < world_size:
            raise RecipeError(f"rank must lie in 0 … {world_size - 1}, got {rank}.")
        hashes = self._hashes if self.augmentation is not None else None
        return EpochSampler(len(self), hashes, self.seed, self._epoch, (rank, world_size))

    def generator(self) -> torch.Generator:
        """A new generator of this seed, for `DataLoader(generator=…)`, which otherwise draws from torch's global one:
        then loading would change what comes after it, such as dropout."""
        return torch.Generator().manual_seed(self.seed)

    def worker_init_fn(self, worker: int) -> None:
        """Seed the global generators of a worker process by (seed, epoch, worker), for code that draws from them.

        The images need none of it. For `DataLoader(worker_init_fn=…)`.
        """
        bits = int(Draws(self.seed, self.epoch, np.array([worker], np.uint64)).bits(WORKER)[0])
        random.seed(bits)
        np.random.seed(bits & 0xFFFFFFFF)
        torch.manual_seed(bits >> 1)


class EpochSampler(Sampler[int]):
    """Row numbers in the order of the epoch, every `world_size`-th of them."""

    def __init__(self, count: int, hashes: U64 | None, seed: int, epoch: Epoch, share: tuple[int, int]) -> None:
        self._count, self._hashes, self._seed, self._epoch = count, hashes, seed, epoch
        self._rank, self._world_size = share

    def _positions(self) -> range:
        whole = self._count if self._hashes is None else self._count - self._count % self._world_size
        return range(self._rank, whole, self._world_size)

    def __len__(self) -> int:
        return len(self._positions())

    def __iter__(self) -> Iterator[int]:
        if self._hashes is None:
            return iter(self._positions())
        order = shuffled(self._hashes, self._seed, int(self._epoch))
        return iter(order[np.asarray(self._positions())].tolist())

    def set_epoch(self, epoch: int) -> None:
        """Change the epoch of the dataset and all its samplers: what distributed trainers call on a sampler."""
        self._epoch.set(epoch)


class ImageTransform:
    """A batch of rows in, `pixel_values` and labels out."""

    def __init__(
        self, preprocessing: Preprocessing, augmentation: Augmentation | None, names: Mapping[str, str | None],
        seed: int, exact: bool,
    ) -> None:  # fmt: skip
        self.preprocessing, self.augmentation, self.seed = preprocessing, augmentation, seed
        self._names, self._is_exact = dict(names), exact
        self._transforms = _per_sample(augmentation)
        framing_of(preprocessing, self._transforms, exact)  # what does not go together is told now
        self._epoch = Epoch()

    @property
    def epoch(self) -> int:
        """The epoch whose augmentation images have."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Change the epoch, in all workers; call it before each epoch."""
        self._epoch.set(epoch)

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        """`pixel_values` [n, c, h, w], float32 and normalized, and the label column as it is.

        Raises DataError for a column that is not there or an image that cannot be read.
        """
        column = {use: self._column(batch, name) for use, name in self._names.items() if name is not None}
        pixels = [pixels_of(image, f"row {i} of the batch") for i, image in enumerate(column["image"])]
        native = GivenPixels(pixels, self.preprocessing)
        rows = np.arange(len(pixels))
        hashes = np.array([hash_of_key(k) for k in column["key"]], np.uint64) if "key" in column else native.hashes()
        tiles = Tiles(native, self.preprocessing, self._transforms, 0, is_exact=self._is_exact)
        images = np.empty((len(rows), *self.preprocessing.size, self.preprocessing.num_channels), np.float32)
        tiles.fill(rows, Draws(self.seed, self.epoch, hashes), images)
        labels = {str(self._names["label"]): column["label"]} if "label" in column else {}
        return {"pixel_values": torch.from_numpy(images).permute(0, 3, 1, 2), **labels}

    def _column(self, batch: Mapping[str, Sequence[Any]], name: str) -> Sequence[Any]:
        if name not in batch:
            raise DataError(f"The rows have no column {name!r}.{did_you_mean(name, batch)} Name it in "
                            "adapters.transform(image=…, label=…, key=…); label=None for rows without labels.")
        return batch[name]


def dataset(
    samples: SampleTable, *, preprocessing: Preprocessing, augmentation: Augmentation | None = None, seed: int = 0,
    exact: bool = False,
) -> SampleDataset:  # fmt: skip
    """A map-style Dataset of these samples for torch's DataLoader; item i is row i, as (image [c, h, w], class id).

    An augmentation makes it one for training: the images change with `set_epoch`, as functions of (seed, epoch,
    sample). Batches that a Loader would give come from `DataLoader(d, batch_size, sampler=d.sampler(),
    drop_last=True, worker_init_fn=d.worker_init_fn, generator=d.generator())`.

    Raises DataError for samples that cannot be read and, in training, unlabelled ones: take the others first.
    """
    if samples.is_labelled.any():
        preprocessing.require_classes(samples.classes.ids, samples.name)
    num_bad = len(samples) - int(samples.is_ok.sum())
    if num_bad:
        raise DataError(
            f"{samples.name}: {num_bad:,} of {len(samples):,} samples cannot be read, and a Dataset can leave nothing "
            "out. Leave them out knowingly: samples.take(samples.is_ok)"
        )
    return SampleDataset(samples, preprocessing, augmentation, seed, exact)


def transform(
    preprocessing: Preprocessing, augmentation: Augmentation | None = None, *, image: str = "image",
    label: str | None = "label", key: str | None = None, seed: int = 0, exact: bool = False,
) -> Callable[[Mapping[str, Sequence[Any]]], dict[str, Any]]:  # fmt: skip
    """A function for `with_transform` of Hugging Face's `datasets`: rows in, `pixel_values` and labels out.

    `image`, `label` and `key` name columns. Images are Pillow's, encoded bytes, or {"bytes", "path"} as stored.
    Random draws belong to (seed, epoch, row): a row is known by its `key` (a sample id of 16 bytes, or the text or
    number that `index` takes for a key), without one by its pixels. `set_epoch` works in all workers.
    """
    return ImageTransform(preprocessing, augmentation, {"image": image, "label": label, "key": key}, seed, exact)


def _per_sample(augmentation: Augmentation | None) -> Augmentation:
    """The transforms of single images. Raises RecipeError for an augmentation that mixes images of a batch."""
    if augmentation is not None and augmentation.mixing:
        raise RecipeError(
            "This augmentation mixes the images of a batch, which a Dataset does not see. Leave `mixing` out, and "
            "mix your batches yourself: augmentation.MixUp(alpha=0.2).draw(rng, size), augmentation.mixed(…)."
        )
    return augmentation or Augmentation()
