"""Policies: RandAugment, TrivialAugment and AutoAugment choose operations and their magnitudes for each image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sightline.augmentation.framing import RESAMPLING
from sightline.augmentation.operations import OPERATIONS, SIGNED, operated
from sightline.augmentation.searched import SEARCHED
from sightline.augmentation.transform import STREAMS, Array, Transform, check, is_whole
from sightline.randomness import Draws

OPERATION = np.dtype([("operation", np.int64), ("magnitude", np.float64)])
"""One row of a policy's parameters: a place in OPERATIONS and the magnitude, sign included."""
SEARCHED_BINS = 10


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """The largest magnitudes of a policy."""

    shear: float = 0.3
    """Slope."""
    rotate: float = 30.0
    """Degrees."""
    enhance: float = 0.9
    """Factor less 1, of brightness, colour, contrast and sharpness."""
    bits: int = 4
    """Bits that Posterize takes away."""
    pixels: float | None = None
    """Of a translation; none: 150/331 of the side."""

    def magnitudes(self, operation: str, bins: int, side: int) -> Array:
        """The magnitudes that the bins mean (float64), for images whose side along a translation is `side`."""
        if operation == "Posterize":
            return np.rint(8 - np.arange(bins) / ((bins - 1) / self.bits))
        if operation == "Solarize":
            return _evenly(1.0, 0.0, bins)
        if operation not in SIGNED:
            return np.zeros(bins)
        if operation in ("TranslateX", "TranslateY"):
            return _evenly(0.0, 150 / 331 * side if self.pixels is None else self.pixels, bins)
        largest = {"ShearX": self.shear, "ShearY": self.shear, "Rotate": self.rotate}.get(operation, self.enhance)
        return _evenly(0.0, largest, bins)


def _evenly(start: float, end: float, bins: int) -> Array:
    """Evenly spaced numbers as torch spaces them in float32: whole pixels and thresholds hang on the last bit."""
    first, last, i = float(np.float32(start)), float(np.float32(end)), np.arange(bins)
    step = float((np.float32(end) - np.float32(start)) / np.float32(bins - 1))
    spaced = np.where(i < bins // 2, first + step * i, last - step * (bins - 1 - i))
    return spaced.astype(np.float32).astype(np.float64)


NARROW = Ranges()
WIDE = Ranges(shear=0.99, rotate=135.0, enhance=0.99, bits=6, pixels=32.0)


@dataclass(frozen=True, kw_only=True)
class Policy(Transform):
    """What all policies share: how the image is sampled when it is moved, and what comes in from outside."""

    interpolation: str = "nearest"
    """nearest, bilinear or bicubic."""
    fill: int | tuple[int, ...] = 0
    """Level, or one for each channel."""

    def __post_init__(self) -> None:
        name, known = type(self).__name__, tuple(RESAMPLING)[:3]
        check(self.interpolation in known, f"{name}.interpolation", " | ".join(known), self.interpolation)
        levels = self.fill if isinstance(self.fill, tuple) else (self.fill,)
        is_fine = len(levels) in (1, 3) and all(is_whole(v, 0, 255) for v in levels)
        check(is_fine, f"{name}.fill", "a level in 0 … 255, or one for each channel", self.fill)

    def apply(self, levels: Array, parameters: Array) -> Array:
        """The image after its operations, in order."""
        channels = levels.shape[2]
        fill = self.fill if isinstance(self.fill, tuple) else (self.fill,)
        check(len(fill) in (1, channels), f"{type(self).__name__}.fill", f"one level or {channels}", self.fill)
        steps = [(OPERATIONS[o], float(m)) for o, m in parameters]
        return operated(levels, steps, self.interpolation, fill if len(fill) == channels else fill * channels)

    def describe(self, parameters: Array) -> str:
        """The operations with their magnitudes."""
        told = [(OPERATIONS[o], m) for o, m in parameters if OPERATIONS[o] != "Identity"]
        return ", ".join(f"{o} {m:.3g}" if o in (*SIGNED, "Posterize", "Solarize") else o for o, m in told)


@dataclass(frozen=True, kw_only=True)
class RandAugment(Policy):
    """`num_ops` operations, each drawn from 14, all at one magnitude. Source: Cubuk et al., arXiv 1909.13719."""

    num_ops: int = 2
    magnitude: int = 9
    """Bin of the magnitude, from 0 (nothing) on."""
    num_magnitude_bins: int = 31

    def __post_init__(self) -> None:
        super().__post_init__()
        check(is_whole(self.num_ops, 1, STREAMS // 2), "RandAugment.num_ops", f"1 … {STREAMS // 2}", self.num_ops)
        _check_bins(self.num_magnitude_bins, "RandAugment")
        last = self.num_magnitude_bins - 1
        check(is_whole(self.magnitude, 0, last), "RandAugment.magnitude", f"0 … {last}, the last bin", self.magnitude)

    def draw(self, draws: Draws, stream: int, sizes: Array) -> Array:
        """The operations of each sample (`OPERATION`, n × num_ops)."""
        bins = np.full(len(sizes), self.magnitude)
        steps = [
            _steps(NARROW, draws.integers(stream + 2 * k, len(OPERATIONS) - 1), bins, self.num_magnitude_bins,
                   draws.uniform(stream + 2 * k + 1) < 0.5, sizes)
            for k in range(self.num_ops)
        ]  # fmt: skip
        return np.stack(steps, axis=1)


@dataclass(frozen=True, kw_only=True)
class TrivialAugment(Policy):
    """One of 14 operations at a random magnitude, from wide ranges. Source: Müller and Hutter, arXiv 2103.10158."""

    num_magnitude_bins: int = 31

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_bins(self.num_magnitude_bins, "TrivialAugment")

    def draw(self, draws: Draws, stream: int, sizes: Array) -> Array:
        """The operation of each sample (`OPERATION`, n × 1)."""
        bins = draws.integers(stream + 1, self.num_magnitude_bins)
        operations = draws.integers(stream, len(OPERATIONS) - 1)
        is_negated = draws.uniform(stream + 2) < 0.5
        return _steps(WIDE, operations, bins, self.num_magnitude_bins, is_negated, sizes)[:, None]


@dataclass(frozen=True, kw_only=True)
class AutoAugment(Policy):
    """One of 25 pairs of operations that a search found. Source: Cubuk et al., arXiv 1805.09501."""

    policy: str = "imagenet"
    """The data it was searched on: imagenet, cifar10 or svhn."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.policy in SEARCHED, "AutoAugment.policy", " | ".join(SEARCHED), self.policy)

    def draw(self, draws: Draws, stream: int, sizes: Array) -> Array:
        """The operations of each sample (`OPERATION`, n × 2); Identity where an operation is left out."""
        table = SEARCHED[self.policy]
        chosen = draws.integers(stream, len(table))
        steps = []
        for k in range(2):
            names, shares, bins = zip(*(pair[k] for pair in table), strict=True)
            is_done = draws.uniform(stream + 2 * k + 1) < np.array(shares)[chosen]
            operations = np.array([OPERATIONS.index(name) for name in names])[chosen] * is_done
            is_negated = draws.uniform(stream + 2 * k + 2) < 0.5
            steps.append(_steps(NARROW, operations, np.array(bins)[chosen], SEARCHED_BINS, is_negated, sizes))
        return np.stack(steps, axis=1)


def _check_bins(bins: int, name: str) -> None:
    check(is_whole(bins, 2), f"{name}.num_magnitude_bins", "2 or more", bins)


@lru_cache(maxsize=32)
def _table(ranges: Ranges, num_bins: int, height: int, width: int) -> Array:
    """Magnitudes (operations × bins) for images of one size."""
    sides = [width if operation == "TranslateX" else height for operation in OPERATIONS]
    return np.stack([ranges.magnitudes(o, num_bins, side) for o, side in zip(OPERATIONS, sides, strict=True)])


def _steps(ranges: Ranges, operations: Array, bins: Array, num_bins: int, is_negated: Array, sizes: Array) -> Array:
    """Operations with the magnitudes that their bins mean for images of `sizes`."""
    out = np.empty(len(operations), OPERATION)
    out["operation"] = operations
    for height, width in {(int(h), int(w)) for h, w in sizes}:
        here = (sizes == (height, width)).all(axis=1)
        table = _table(ranges, num_bins, height, width)
        out["magnitude"][here] = table[operations[here], bins[here]]
    out["magnitude"][_IS_SIGNED[operations] & is_negated] *= -1
    return out


_IS_SIGNED = np.array([operation in SIGNED for operation in OPERATIONS])
