"""Which sample comes when: pure functions of (seed, epoch) and of the rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sightline.errors import DataError, RecipeError
from sightline.randomness import U64, Draws

Positions = npt.NDArray[np.int64]

ORDER = -1
"""The random stream of the order; the transforms' streams are 0 and above."""
BLOCK = 1 << 15
"""Samples whose numbers are drawn at a time; a core's second-level cache holds them."""
SHARES = 8
"""Shares of equal width that the numbers are sorted in, a power of two."""


def shuffled(hashes: U64, seed: int, epoch: int) -> Positions:
    """Positions of the samples in the order of one epoch.

    Each sample is placed by its own random number, so the order does not depend on how the table is sorted, and
    leaving a sample out moves no other.
    """
    # torch finds the order of integers by their digits, all cores together: 1.28 million in 27 ms on two cores, where
    # numpy's sort takes 70. Meanwhile it needs five times its input, hence the shares. Equal numbers stand in the
    # table's order; of 42 bits each one pair in five epochs is equal.
    num_bits = 63 - len(hashes).bit_length()
    kind = np.uint32 if len(hashes) < 1 << 32 else np.int64
    numbers: list[list[U64]] = [[np.zeros(0, np.uint64)] for _ in range(SHARES)]
    rows: list[list[npt.NDArray[Any]]] = [[np.zeros(0, kind)] for _ in range(SHARES)]
    for start in range(0, len(hashes), BLOCK):
        drawn = Draws(seed, epoch, hashes[start : start + BLOCK]).bits(ORDER) >> np.uint64(64 - num_bits)
        share = (drawn >> np.uint64(num_bits - SHARES.bit_length() + 1)).astype(np.uint8)
        for i in range(SHARES):
            at = np.flatnonzero(share == i)
            numbers[i].append(drawn[at])
            rows[i].append((at + start).astype(kind))
    order = np.empty(len(hashes), np.int64)
    begin = 0
    for i in range(SHARES):
        mine, drawn = np.concatenate(rows[i]), np.concatenate(numbers[i])
        rows[i], numbers[i] = [], []
        places = torch.sort(torch.from_numpy(drawn.view(np.int64)), stable=True).indices.numpy()
        order[begin : begin + len(mine)] = mine[places]
        begin += len(mine)
    return order


@dataclass(frozen=True)
class Batching:
    """How an order of `num_samples` is cut into batches, and which part of each belongs to this rank."""

    num_samples: int
    batch_size: int
    """Of all ranks together."""
    rank: int = 0
    world_size: int = 1
    is_training: bool = True
    """Training leaves out an incomplete last batch (another few samples each epoch); evaluation takes every sample."""
    is_paired: bool = False
    """Whether the samples at places i and n-1-i of a training batch belong together: they are then on one rank."""

    def __post_init__(self) -> None:
        if self.num_samples < 1:
            raise DataError("There is no sample to load: none of the rows can be read.")
        if self.batch_size < 1:
            raise RecipeError(f"batch_size must be at least 1, got {self.batch_size}.")
        if not 0 <= self.rank < self.world_size:
            raise RecipeError(f"rank must lie in 0 … {self.world_size - 1}, got {self.rank}.")
        units = -(-min(self.batch_size, self.num_samples) // (2 if self.is_paired else 1))
        if self.is_training and units < self.world_size:
            raise RecipeError(
                f"batch_size is global: {min(self.batch_size, self.num_samples)} samples a batch "
                f"{'to be mixed in pairs ' if self.is_paired else ''}cannot feed {self.world_size} ranks. "
                "Use fewer ranks or a larger batch."
            )

    def __len__(self) -> int:
        if self.is_training:
            return max(self.num_samples // self.batch_size, 1)
        mine = len(range(self.rank, self.num_samples, self.world_size))
        return -(-mine // self._share)

    @property
    def _share(self) -> int:
        return -(-self.batch_size // self.world_size)

    @property
    def capacity(self) -> int:
        """The most samples that this rank gets in one batch."""
        n = min(self.batch_size, self.num_samples)
        return 2 * -(-n // (2 * self.world_size)) if self.is_paired else -(-n // self.world_size)

    def part(self, order: npt.NDArray[Any], step: int) -> npt.NDArray[Any]:
        """This rank's positions of batch `step`: every `world_size`-th sample, or pair of samples.

        In training the union over ranks is the batch that one rank would have; in evaluation each rank cuts its share
        of all samples into batches of its own.
        """
        if not self.is_training:
            return order[self.rank :: self.world_size][step * self._share : (step + 1) * self._share]
        batch = order[step * self.batch_size : (step + 1) * self.batch_size]
        if not self.is_paired:
            return batch[self.rank :: self.world_size]
        place = np.arange(len(batch))
        mine: npt.NDArray[Any] = batch[np.minimum(place, place[::-1]) % self.world_size == self.rank]
        return mine
