"""The Loader: batches of normalized tensors, the same bytes for any number of threads and ranks."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sightline.augmentation import Augmentation
from sightline.errors import ContractError, DataError
from sightline.loading.buffers import Buffers
from sightline.loading.order import Batching, shuffled
from sightline.loading.pixels import NativePixels, Unreadable
from sightline.loading.tiles import Tiles
from sightline.preprocessing import Preprocessing
from sightline.randomness import Draws, hashes_of
from sightline.samples import SampleTable

PREFETCH = 2
"""Batches under way while the consumer works on one."""
CACHE_BYTES = 4 << 30


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """Images and labels of one step, for this rank."""

    images_bchw: torch.Tensor
    """float32, normalized, channels_last."""
    labels_b: torch.Tensor
    """int64 class ids; -1 where an evaluated sample has no label (cross-entropy refuses it)."""
    positions: npt.NDArray[np.int64]
    """Row numbers in the loader's table."""
    unreadable: list[tuple[int, str]]
    """Row number and reason of the samples that belong here and cannot be read; they are in none of the above."""

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True, eq=False)
class _Job:
    """A batch under way: its rows, and the memory its images are written to."""

    rows: npt.NDArray[np.int64]
    images: npt.NDArray[np.float32]
    tiles: Tiles
    draws: Draws

    def fill(self, start: int) -> Unreadable:
        """Write the images from `start` on, one tile."""
        part = slice(start, start + self.tiles.num_rows)
        rows = self.rows[part]
        draws = Draws(self.draws.seed, self.draws.epoch, self.draws.hashes[part])
        return [(start + i, reason) for i, reason in self.tiles.fill(rows, draws, self.images[part])]

    @property
    def starts(self) -> range:
        return range(0, len(self.rows), self.tiles.num_rows)


class Loader:
    """Batches of a sample table or a path: shuffled and augmented for training, in order and complete for evaluation.

    A training loader is asked for an epoch, `for batch in loader.epoch(e)`; an evaluation loader is iterated. Order
    is a function of (seed, epoch), augmentation of (seed, epoch, sample); threads and ranks change no byte.
    """

    def __init__(
        self, source: SampleTable | str | Path, *, preprocessing: Preprocessing,
        augmentation: Augmentation | None = None, batch_size: int, seed: int = 0, shuffle: bool | None = None,
        threads: int | None = None, rank: int = 0, world_size: int = 1, cache_bytes: int = CACHE_BYTES,
        exact: bool = False,
    ) -> None:  # fmt: skip
        """Training when `augmentation` is given (`augmentation.none()` counts) or `shuffle` says so, else evaluation.

        `batch_size` is global: ranks share it. `threads` prepare batches ahead (0: none, in the caller's thread;
        default: one per core this process may use). Decoded images are kept up to `cache_bytes`. `exact` resizes with
        Pillow, for published figures; otherwise torch does it faster, within two levels.

        Raises DataError for unlabelled training samples, ContractError where classes or pixels disagree with the
        contract.
        """
        self.samples = source if isinstance(source, SampleTable) else _indexed(source)
        self.preprocessing, self.augmentation, self.seed = preprocessing, augmentation, seed
        self.is_training = augmentation is not None if shuffle is None else shuffle
        if augmentation is not None and not self.is_training:
            raise ContractError("shuffle=False and an augmentation: evaluation sees the contract's pixels. Drop one.")
        if self.samples.is_labelled.any():
            preprocessing.require_classes(self.samples.classes.ids, self.samples.name)
        self._labels = self._checked_labels()
        self._rows = np.flatnonzero(self.samples.is_ok) if self.is_training else np.arange(len(self.samples))
        self._hashes = hashes_of(self.samples.ids)
        self._batching = Batching(len(self._rows), batch_size, rank, world_size, self.is_training)
        self.unreadable: dict[int, str] = {}
        """Row number → reason of every sample found unreadable so far."""
        for row in np.flatnonzero(~self.samples.is_ok):
            self.unreadable[int(row)] = self.samples.table["reason"][int(row)].as_py() or "unreadable"
        self._cache_bytes, self._is_exact = cache_bytes, exact
        is_viewed = augmentation is not None and augmentation.view is not None
        self._native = NativePixels(self.samples, preprocessing, cache_bytes if is_viewed else 0)
        self._tiles: Tiles | None = None
        capacity = -(-min(batch_size, len(self._rows)) // world_size)
        self._buffers = Buffers(capacity, PREFETCH + 2)
        threads = len(os.sched_getaffinity(0)) if threads is None else threads
        self._pool = _pool(threads) if threads > 0 else None

    def _checked_labels(self) -> npt.NDArray[np.int64]:
        if self.is_training:
            return self.samples.labels
        return np.asarray(self.samples.table["label"].fill_null(-1).to_numpy(), np.int64)

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

    def __iter__(self) -> Iterator[Batch]:
        if self.is_training:
            raise ContractError(
                "A training loader is asked for an epoch, or every pass would show the same order and the same "
                "crops: for batch in loader.epoch(e)."
            )
        return self._batches(self._rows, self.preprocessing, 0, 0)

    def epoch(self, epoch: int, *, size: tuple[int, int] | None = None, start: int = 0) -> Iterator[Batch]:
        """Batches of training epoch `epoch`, from batch `start` on; `size` feeds another size than the contract's.

        Raises ContractError for an evaluation loader, DataError when a whole batch cannot be read any more.
        """
        if not self.is_training:
            raise ContractError("An evaluation loader has no epochs; iterate it: for batch in loader.")
        order = self._rows[shuffled(self._hashes[self._rows], self.seed, epoch)]
        return self._batches(order, self.preprocessing.at_size(size or self.preprocessing.size), epoch, start)

    def _batches(
        self, order: npt.NDArray[np.int64], contract: Preprocessing, epoch: int, start: int
    ) -> Iterator[Batch]:
        if self._tiles is None or self._tiles.contract != contract:
            self._tiles = None  # what was kept at the former size goes before the new grows
            transforms = self.augmentation or Augmentation()
            self._tiles = Tiles(self._native, contract, transforms, self._cache_bytes, is_exact=self._is_exact)
        tiles = self._tiles
        row = (*contract.size, contract.num_channels)
        jobs = (self._job(self._batching.part(order, step), tiles, row, epoch) for step in range(start, len(self)))
        return (self._batch(job, found) for job, found in _done(jobs, self._pool))

    def _job(self, rows: npt.NDArray[np.int64], tiles: Tiles, row: tuple[int, ...], epoch: int) -> _Job:
        return _Job(rows, self._buffers.take(len(rows), row), tiles, Draws(self.seed, epoch, self._hashes[rows]))

    def _batch(self, job: _Job, found: Unreadable) -> Batch:
        images = torch.from_numpy(job.images).permute(0, 3, 1, 2)
        rows = job.rows
        unreadable = [(int(rows[i]), reason) for i, reason in found]
        if found:
            self.unreadable.update(unreadable)
            is_fine = np.ones(len(rows), bool)
            is_fine[[i for i, _ in found]] = False
            images = images[torch.from_numpy(is_fine)].contiguous(memory_format=torch.channels_last)
            rows = rows[is_fine]
            if self.is_training and not len(rows):
                raise DataError(
                    f"{self.samples.name}: none of the {len(found)} images of a batch can be read ({found[0][1]}). "
                    "Is the disk still there? If the files are gone for good, run `sightline index` again."
                )
        return Batch(images, torch.from_numpy(self._labels[rows]), rows, unreadable)


def _done(jobs: Iterable[_Job], pool: ThreadPoolExecutor | None) -> Iterator[tuple[_Job, Unreadable]]:
    """Finished jobs in order; with a pool, `PREFETCH` of them are under way beyond the one handed out."""
    if pool is None:
        for job in jobs:
            yield job, [u for start in job.starts for u in job.fill(start)]
        return
    pending: deque[tuple[_Job, list[Future[Unreadable]]]] = deque()
    try:
        for job in jobs:
            pending.append((job, [pool.submit(job.fill, start) for start in job.starts]))
            if len(pending) > PREFETCH:
                yield _collected(pending.popleft())
        while pending:
            yield _collected(pending.popleft())
    finally:  # an abandoned epoch leaves no work behind
        left = [f for _, futures in pending for f in futures if not f.cancel()]
        wait(left)


def _collected(item: tuple[_Job, list[Future[Unreadable]]]) -> tuple[_Job, Unreadable]:
    job, futures = item
    return job, [u for f in futures for u in f.result()]


def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads in which torch runs single-threaded: they are the parallelism, and would crowd each other out."""
    pool = ThreadPoolExecutor(threads, "sightline-loader", _single_threaded)
    before = torch.get_num_threads()
    barrier = threading.Barrier(threads + 1)  # every thread exists, and has its setting, when it is passed
    for _ in range(threads):
        pool.submit(barrier.wait)
    barrier.wait()
    torch.set_num_threads(before)
    return pool


def _single_threaded() -> None:
    torch.get_num_threads()  # settles this thread's own setting, which the next call then changes
    torch.set_num_threads(1)


def _indexed(source: Any) -> SampleTable:
    from sightline.indexing import index

    return index(str(source))
