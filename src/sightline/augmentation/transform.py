"""What a transform is: parameters drawn for many samples at once, and a plain way to apply one row of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from sightline.errors import RecipeError
from sightline.randomness import Draws

Array = npt.NDArray[Any]

STREAMS = 64
"""Random streams reserved for each place in the list of transforms."""


class Transform(ABC):
    """A frozen value that changes images at random; what it draws is a pure function of (seed, epoch, sample)."""

    is_normalized: ClassVar[bool] = False
    """Whether it changes normalized values instead of levels, and so comes after normalization."""

    @abstractmethod
    def draw(self, draws: Draws, stream: int, sizes: Array) -> Array:
        """Parameters, one row per sample, for images of `sizes` (n × 2: height, width)."""

    @abstractmethod
    def apply(self, levels: Array, parameters: Array) -> Array:
        """The image (height × width × 1 or 3, uint8 or float32 levels in 0 … 255) changed as one row says."""

    def describe(self, parameters: Array) -> str:
        """What one row of parameters does, in a few words; empty when it does nothing."""
        return ""


def check(is_fine: bool, name: str, wanted: str, got: Any) -> None:
    """Raise RecipeError naming the setting unless `is_fine`."""
    if not is_fine:
        raise RecipeError(f"augmentation: {name} must be {wanted}, got {got!r}.")


def is_whole(value: Any, low: int, high: float = float("inf")) -> bool:
    """Whether a setting is an int in low … high."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def as_levels(values: Array, dtype: npt.DTypeLike) -> Array:
    """Values as levels of a type: rounded for uint8, else cast. They must lie in 0 … 255."""
    return np.rint(values).astype(np.uint8) if dtype == np.uint8 else values.astype(dtype)
