"""Which sample comes when: pure functions of (seed, epoch) and of the rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sightline.errors import DataError, RecipeError
from sightline.randomness import U64, Draws

Positions = npt.NDArray[np.int64]

ORDER = -1
"""The random stream of the order; the transforms' streams are 0 and above."""
BLOCK = 1 << 15
"""Samples whose numbers are drawn at a time; a core's second-level cache holds them."""


def shuffled(hashes: U64, seed: int, epoch: int) -> Positions:
    """Positions of the samples in the order of one epoch.

    Each sample is placed by its own random number, so the order does not depend on how the table is sorted, and
    leaving a sample out moves no other.
    """
    # Number and position share the 63 bits of one integer, because numpy sorts integers in place, and much faster than
    # it finds the order of numbers: 1.28 million in 35 ms of CPU time without a second array. Equal numbers stand in
    # the table's order; among so many one pair in five epochs shares its 42 bits.
    low = np.uint64((1 << len(hashes).bit_length()) - 1)
    keys = np.arange(len(hashes), dtype=np.uint64)
    for start in range(0, len(keys), BLOCK):
        part = slice(start, start + BLOCK)
        keys[part] |= Draws(seed, epoch, hashes[part]).bits(ORDER) >> np.uint64(1) & ~low
    keys.sort()
    keys &= low
    return keys.view(np.int64)


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
