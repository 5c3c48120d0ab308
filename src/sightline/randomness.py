"""Random numbers that are a pure function of what they are for: (seed, epoch, sample, stream).

There is no generator to advance, save or share, so threads, ranks and interruptions cannot change a draw, and a batch
of draws is one array operation. The mixing function is the finalizer of splitmix64 (Steele, Lea and Flood, 2014),
written out here because numpy promises to keep its bit generators but not the methods that turn bits into draws.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]
F64 = npt.NDArray[np.float64]

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def _mix_int(z: int) -> int:
    z = (z + _GOLDEN) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def _mix(z: U64) -> U64:
    z = z + np.uint64(_GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def hashes_of(sample_ids: npt.NDArray[Any] | Iterable[bytes]) -> U64:
    """One 64-bit number for each 16-byte sample id: its first eight bytes, which come from a sha256."""
    if not isinstance(sample_ids, np.ndarray):
        sample_ids = np.frombuffer(b"".join(sample_ids), "V16")
    return np.ascontiguousarray(sample_ids).view("<u8").reshape(-1, 2)[:, 0].astype(np.uint64)


@dataclass(frozen=True)
class Draws:
    """The random numbers of one epoch, for the samples that `hashes_of` names."""

    seed: int
    epoch: int
    hashes: U64

    def bits(self, stream: int | range) -> U64:
        """64 random bits for each sample; for a range of streams, one row each (streams × samples).

        Equal streams give equal bits; different streams are independent.
        """
        prefix = _mix_int(_mix_int(self.seed & _MASK) ^ (self.epoch & _MASK))
        if isinstance(stream, int):
            return _mix(_mix(self.hashes ^ np.uint64(_mix_int(prefix ^ (stream & _MASK)))))
        keys = _mix(np.uint64(prefix) ^ np.array(stream, np.int64).astype(np.uint64))
        return _mix(_mix(self.hashes ^ keys[:, None]))

    def uniform(self, stream: int | range, low: float = 0.0, high: float = 1.0) -> F64:
        """A float64 in [low, high) for each sample, with 53 random bits; shapes as in `bits`."""
        unit = (self.bits(stream) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return np.asarray(low + (high - low) * unit, np.float64)

    def integers(self, stream: int, count: int | npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """An int64 in 0 … count-1 for each sample."""
        return np.asarray(np.floor(self.uniform(stream) * count), np.int64)

    def keys(self, stream: int) -> U64:
        """128 bits for each sample (n × 2), the key of a generator: see `generator_of`."""
        return np.ascontiguousarray(self.bits(range(stream, stream + 2)).T)


def generator(seed: int, epoch: int, sample: int, stream: int = 0) -> np.random.Generator:
    """A numpy generator that is a pure function of its arguments; `sample` is a hash, or the number of a batch.

    For what cannot be one array operation. Its bits are the same everywhere; numpy may change, from one release to
    another, what its methods make of them.
    """
    return generator_of(Draws(seed, epoch, np.array([sample & _MASK], np.uint64)).keys(stream)[0])


def generator_of(key: U64) -> np.random.Generator:
    """The numpy generator (Philox) of a key of 2 × 64 bits."""
    return np.random.Generator(np.random.Philox(key=key))


def normals(key: int, count: int) -> npt.NDArray[np.float32]:
    """`count` standard normal numbers, a pure function of `key`: two of each 64 bits, by Box and Muller's formula."""
    half = -(-count // 2)
    bits = _mix(_mix(np.uint64(key & _MASK) + np.arange(half, dtype=np.uint64) * np.uint64(_GOLDEN)))
    # 1 … 2³² over 2³²: never 0, whose logarithm is infinite.
    radius = np.sqrt(-2 * np.log(((bits >> np.uint64(32)).astype(np.float32) + 1) * np.float32(2.0**-32)))
    angle = (bits & np.uint64(0xFFFFFFFF)).astype(np.float32) * np.float32(2 * np.pi * 2.0**-32)
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]
