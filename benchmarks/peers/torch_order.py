"""torch's DistributedSampler over a data set whose items cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.distributed import DistributedSampler

from benchmarks.jobs import ORDER, ORDER_RANKS


class Nothing(Dataset[tuple[Any, int]]):
    """`count` samples that share one small image."""

    def __init__(self, count: int) -> None:
        self.count, self.image = count, torch.zeros(3, ORDER.size, ORDER.size)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> tuple[Any, int]:
        return self.image, 0


def setup(folder: Path, work: Path, *, job: str, count: int) -> Callable[[], Iterator[Any]]:
    """The batches of rank 0; nothing is made before the first call."""
    dataset = Nothing(count)
    made: list[DataLoader[Any]] = []
    counter = iter(range(1 << 30))

    def epoch() -> Iterator[Any]:
        if not made:
            sampler = DistributedSampler(dataset, num_replicas=ORDER_RANKS, rank=0, shuffle=True)
            made.append(DataLoader(dataset, batch_size=ORDER.batch_size // ORDER_RANKS, sampler=sampler))
        made[0].sampler.set_epoch(next(counter))
        return iter(made[0])

    return epoch
