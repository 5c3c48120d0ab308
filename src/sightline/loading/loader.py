"""The Loader: batches of normalized tensors, the same bytes for any number of threads and ranks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from sightline.augmentation import Augmentation
from sightline.errors import ContractError, DataError
from sightline.loading.batch import Batch, Destination
from sightline.loading.buffers import Buffers
from sightline.loading.mixing import mix
from sightline.loading.order import Batching, shuffled
from sightline.loading.pixels import NativePixels, Unreadable, level_type
from sightline.loading.resizing import engines
from sightline.loading.stages import Stages, timed
from sightline.loading.threads import finished, single_threaded_pool
from sightline.loading.tiles import Tiles
from sightline.preprocessing import Preprocessing
from sightline.randomness import Draws, generator, hashes_of
from sightline.samples import SampleTable

PREFETCH = 2
"""Batches under way while the consumer works on one."""
KEPT = PREFETCH + 4
"""Batches whose memory is used again: one being begun, one in hand, and two more that a consumer may hold on to."""
CACHE_BYTES = 4 << 30
MAX_UNREADABLE = 0.05


class State(NamedTuple):
    """How far a training loader has come."""

    epoch: int
    """The epoch that is read, or comes next."""
    step: int
    """Its batches that have been handed out."""


@dataclass(frozen=True, eq=False)
class _Job:
    """A batch under way: its rows, and the memory its images are written to."""

    step: int
    rows: npt.NDArray[np.int64]
    memory: npt.NDArray[Any]
    tiles: Tiles
    draws: Draws

    @property
    def parts(self) -> list[Callable[[], Unreadable]]:
        """Tasks that fill a tile each."""
        return [partial(self._fill, start) for start in range(0, len(self.rows), self.tiles.num_rows)]

    def _fill(self, start: int) -> Unreadable:
        part = slice(start, start + self.tiles.num_rows)
        draws = Draws(self.draws.seed, self.draws.epoch, self.draws.hashes[part])
        found = self.tiles.fill(self.rows[part], draws, self.memory[part])
        return [(start + i, reason) for i, reason in found]


class Loader:
    """Batches of a sample table or a path: shuffled and augmented for training, in order and complete for evaluation.

    Iterating a training loader gives its next epoch, `loader.epoch(e)` a certain one; iterating an evaluation loader
    gives every sample once. Order is a function of (seed, epoch), augmentation of (seed, epoch, sample), mixing of
    (seed, epoch, step); threads and ranks change no byte.
    """

    def __init__(
        self, source: SampleTable | str | Path, *, preprocessing: Preprocessing,
        augmentation: Augmentation | None = None, batch_size: int, seed: int = 0, epoch: int = 0,
        shuffle: bool | None = None, threads: int | None = None, rank: int = 0, world_size: int = 1,
        cache_bytes: int = CACHE_BYTES, exact: bool = False, dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu", max_unreadable: float = MAX_UNREADABLE, stages: Stages | None = None,
    ) -> None:  # fmt: skip
        """Training when `augmentation` is given (`augmentation.none()` counts) or `shuffle` says so, else evaluation.

        `source` is a table, a study's directory, or a path that is indexed. `batch_size` is global: ranks share it.
        `epoch` is the first that iterating gives. `threads` prepare batches ahead (0: none, in the caller's thread;
        default: one per core this process may use). Decoded images are kept up to `cache_bytes`. `exact` resizes with
        Pillow, for published figures; otherwise torch does it faster, within two levels. Images come as `dtype`
        (float32 or bfloat16) on `device`. Training stops when more than a share `max_unreadable` of its samples
        vanished or rotted since they were indexed. `stages` measures.

        Raises DataError for unlabelled training samples, ContractError where classes or pixels disagree with the
        contract.
        """
        self.samples = source if isinstance(source, SampleTable) else _samples_at(Path(source))
        self.preprocessing, self.augmentation, self.seed = preprocessing, augmentation, seed
        self.is_training = augmentation is not None if shuffle is None else shuffle
        if augmentation is not None and not self.is_training:
            raise ContractError("shuffle=False and an augmentation: evaluation sees the contract's pixels. Drop one.")
        if dtype not in {torch.float32, torch.bfloat16}:
            raise ContractError(f"A Loader gives float32 or bfloat16 images, got dtype={dtype}.")
        if self.samples.is_labelled.any():
            preprocessing.require_classes(self.samples.classes.ids, self.samples.name)
        self._labels = self._checked_labels()
        self._rows = np.flatnonzero(self.samples.is_ok) if self.is_training else np.arange(len(self.samples))
        self._hashes = hashes_of(self.samples.ids)
        self._transforms = augmentation or Augmentation()
        self._batching = Batching(
            len(self._rows), batch_size, rank, world_size, self.is_training, is_paired=bool(self._transforms.mixing)
        )
        self._state = State(epoch, 0)
        self.unreadable: dict[int, str] = {}
        """Row number → reason of every sample found unreadable so far."""
        for row in np.flatnonzero(~self.samples.is_ok):
            self.unreadable[int(row)] = self.samples.table["reason"][int(row)].as_py() or "unreadable"
        self._max_unreadable = max_unreadable
        self._cache_bytes, self._is_exact, self._stages = cache_bytes, exact, stages
        is_viewed = self._transforms.view is not None
        self._native = NativePixels(self.samples, preprocessing, cache_bytes if is_viewed else 0, stages)
        self._tiles: Tiles | None = None
        levels = level_type(preprocessing)
        is_late = any(t.is_normalized for t in self._transforms.transforms)
        self._destination = Destination(preprocessing, levels, dtype, torch.device(device), is_late)
        self._buffers = Buffers(self._batching.capacity, KEPT, self._destination.empty)
        self.batch_size = batch_size
        self.threads = len(os.sched_getaffinity(0)) if threads is None else threads
        self._pool = single_threaded_pool(self.threads) if self.threads > 0 else None

    def _checked_labels(self) -> npt.NDArray[np.int32]:
        labels = self.samples.table["label"]
        if self.is_training and labels.null_count:
            _ = self.samples.labels  # raises, with the count and what to do
        return np.asarray((labels.fill_null(-1) if labels.null_count else labels).to_numpy(), np.int32)

    def __len__(self) -> int:
        """Batches in an epoch, of this rank."""
        return len(self._batching)

    @property
    def num_samples(self) -> int:
        """Samples that an epoch draws from, over all ranks."""
        return len(self._rows)

    @property
    def skipped(self) -> int:
        """How many samples a training loader has left out because they cannot be read; `unreadable` says why."""
        return len(self.unreadable) if self.is_training else 0

    @property
    def lost(self) -> dict[int, str]:
        """Row number → reason of the samples that could be read when they were indexed, and could not since."""
        return {row: reason for row, reason in self.unreadable.items() if self.samples.is_ok[row]}

    @property
    def state(self) -> State:
        """Two integers from which another loader goes on: `Loader(..., epoch=state.epoch)` and `start=state.step`."""
        return self._state

    @property
    def engines(self) -> dict[str, str]:
        """Which libraries decode and resize, with their versions: other ones may change a level here and there."""
        return engines(exact=self._is_exact)

    def __iter__(self) -> Iterator[Batch]:
        """Batches of the next epoch in training, of every sample in evaluation.

        A pass that was read to its end moves on to the next epoch; one that was left begins again.
        """
        if not self.is_training:
            return self._batches(self._rows, self.preprocessing, 0, 0)
        return self.epoch(self._state.epoch)

    def epoch(self, epoch: int, *, size: tuple[int, int] | None = None, start: int = 0) -> Iterator[Batch]:
        """Batches of training epoch `epoch`, from batch `start` on; `size` feeds another size than the contract's.

        Raises ContractError for an evaluation loader, DataError when too many images cannot be read any more.
        """
        if not self.is_training:
            raise ContractError("An evaluation loader has no epochs; iterate it: for batch in loader.")
        return self._tracked(self._batches(self._order(epoch), self._contract_at(size), epoch, start), epoch, start)

    def _order(self, epoch: int) -> npt.NDArray[np.int64]:
        """Row numbers in the order of an epoch."""
        if len(self._rows) == len(self._hashes):
            return shuffled(self._hashes, self.seed, epoch)
        return self._rows[shuffled(self._hashes[self._rows], self.seed, epoch)]

    def peek(self, epoch: int = 0, step: int = 0) -> Batch:
        """Batch `step` of an epoch, or of an evaluation loader's pass, made in this thread; `state` stays as it is."""
        order = self._order(epoch) if self.is_training else self._rows
        contract = self.preprocessing
        row = (*contract.size, contract.num_channels)
        job = self._job(step, self._batching.part(order, step), self._tiles_for(contract), row, epoch)
        return self._batch(job, [u for part in job.parts for u in part()])

    def over(self, samples: SampleTable, *, stages: Stages | None = None) -> Loader:
        """A loader like this one over other samples, with the share of the cache that falls to them."""
        share = len(samples) / len(self.samples)
        return Loader(
            samples, preprocessing=self.preprocessing, augmentation=self.augmentation, batch_size=self.batch_size,
            seed=self.seed, shuffle=self.is_training, threads=self.threads, rank=self._batching.rank,
            world_size=self._batching.world_size, cache_bytes=int(share * self._cache_bytes), exact=self._is_exact,
            dtype=self._destination.dtype, device=self._destination.device, max_unreadable=self._max_unreadable,
            stages=stages,
        )  # fmt: skip

    def _contract_at(self, size: tuple[int, int] | None) -> Preprocessing:
        return self.preprocessing.at_size(size or self.preprocessing.size)

    def _tracked(self, batches: Iterator[Batch], epoch: int, start: int) -> Iterator[Batch]:
        self._state = State(epoch, start)
        for step, batch in enumerate(batches, start + 1):
            self._state = State(epoch, step)
            yield batch
        self._state = State(epoch + 1, 0)

    def _batches(
        self, order: npt.NDArray[np.int64], contract: Preprocessing, epoch: int, start: int
    ) -> Iterator[Batch]:
        tiles = self._tiles_for(contract)
        row = (*contract.size, contract.num_channels)
        steps = range(start, len(self))
        jobs = (self._job(step, self._batching.part(order, step), tiles, row, epoch) for step in steps)
        done = finished(jobs, self._pool, PREFETCH)
        while True:
            with timed(self._stages, "wait"):
                item = next(done, None)
            if item is None:
                return
            job, found = item
            yield self._batch(job, [u for part in found for u in part])

    def _tiles_for(self, contract: Preprocessing) -> Tiles:
        if self._tiles is None or self._tiles.contract != contract:
            self._tiles = None  # what was kept at the former size goes before the new grows
            self._tiles = Tiles(
                self._native, contract, self._transforms, self._cache_bytes, is_exact=self._is_exact,
                is_normalizing=not self._destination.sends_levels,
            )  # fmt: skip
        return self._tiles

    def _job(
        self, step: int, rows: npt.NDArray[np.int64], tiles: Tiles, row: tuple[int, ...], epoch: int
    ) -> _Job:
        return _Job(step, rows, self._buffers.take(len(rows), row), tiles, Draws(self.seed, epoch, self._hashes[rows]))

    def _batch(self, job: _Job, found: Unreadable) -> Batch:
        rows, images = job.rows, self._destination.images(job.memory)
        labels = targets = torch.from_numpy(self._labels[rows]).long()
        is_fine = torch.ones(len(rows), dtype=torch.bool)
        is_fine[[i for i, _ in found]] = False
        if self._transforms.mixing:
            height, width = images.shape[2:]
            mixture = self._transforms.mixture(generator(self.seed, job.draws.epoch, job.step), (height, width))
            assert mixture is not None
            targets = mix(images, labels, len(self.samples.classes), mixture, is_fine)
        unreadable = [(int(rows[i]), reason) for i, reason in found]
        if found:
            self._count(unreadable)
            images = images[is_fine.to(images.device)].contiguous(memory_format=torch.channels_last)
            rows, labels, targets = rows[is_fine.numpy()], labels[is_fine], targets[is_fine]
        device = self._destination.device
        return Batch(images, labels.to(device), targets.to(device), rows, unreadable)

    def _count(self, unreadable: Unreadable) -> None:
        """Remember what was lost; training does not go on without a good part of its data."""
        self.unreadable.update(unreadable)
        lost = len(self.lost)
        mine = self.num_samples / self._batching.world_size
        if self.is_training and lost > self._max_unreadable * mine:
            row, reason = unreadable[0]
            raise DataError(
                f"{self.samples.name}: {lost} of {mine:,.0f} training images cannot be read any more, the latest "
                f"{self.samples.table['key'][row].as_py()} ({reason}). More than max_unreadable = "
                f"{self._max_unreadable:.0%} is too much to leave out. Is the disk still there? If the files are gone "
                "for good, run `sightline index` again."
            )


def _samples_at(path: Path) -> SampleTable:
    from sightline.indexing import index
    from sightline.study import Study

    if (path / "study.json").exists():
        return Study.open(path).read_samples()
    return index(str(path))
