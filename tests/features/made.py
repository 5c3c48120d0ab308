"""Small feature matrices and thumbnails for the tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Pictures:
    """Thumbnails in memory."""

    images: Array

    @property
    def side(self) -> int:
        return int(self.images.shape[1])

    def __len__(self) -> int:
        return len(self.images)

    def thumbnails(self, start: int, stop: int) -> Array:
        return self.images[start:stop]


def pictures(count: int, side: int = 32, seed: int = 0) -> Pictures:
    """Noise of several scales, so that patches differ."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 128, (count, side // 8, side // 8, 3)).repeat(8, 1).repeat(8, 2)
    return Pictures((coarse + rng.integers(0, 128, (count, side, side, 3))).astype(np.uint8))


def clusters(count: int, num_classes: int, width: int = 12, apart: float = 2.0, seed: int = 0) -> tuple[Array, Array]:
    """Features (count, width) float32 around a centre for each class, and the classes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % num_classes
    centres = rng.normal(0, apart, (num_classes, width))
    return (centres[labels] + rng.normal(0, 1, (count, width))).astype(np.float32), labels
