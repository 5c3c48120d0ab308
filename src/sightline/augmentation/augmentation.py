"""The augmentation of a training: transforms in order, and how batches are mixed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np

from sightline.augmentation.colour import ColorJitter, Grayscale
from sightline.augmentation.custom import Custom
from sightline.augmentation.erasing import RandomErasing
from sightline.augmentation.framing import CenterCrop, Resize
from sightline.augmentation.geometry import (
    AlternatingFlip,
    PadCrop,
    RandomAffine,
    RandomHorizontalFlip,
    RandomResizedCrop,
)
from sightline.augmentation.mixing import MIXINGS, Mixing, Mixture
from sightline.augmentation.policies import AutoAugment, RandAugment, TrivialAugment
from sightline.augmentation.transform import STREAMS, Array, Transform, check
from sightline.randomness import Draws

TRANSFORMS = (
    RandomResizedCrop, Resize, CenterCrop, RandomHorizontalFlip, AlternatingFlip, PadCrop, RandomAffine, ColorJitter,
    Grayscale, RandAugment, TrivialAugment, AutoAugment, Custom, RandomErasing,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Transforms, in the order in which they are applied to the 8-bit levels of an image, and mixing of the batch.

    A function `(image, rng) -> image` of one's own may stand among the transforms; it becomes a `Custom`.
    """

    transforms: tuple[Transform, ...] = ()
    """First what chooses the pixels (RandomResizedCrop, or Resize and CenterCrop; else the contract frames the image),
    last what works on normalized values (RandomErasing)."""
    mixing: tuple[Mixing, ...] = ()
    """Each batch is mixed by one of these, chosen at random; none: batches stay as they are."""

    def __post_init__(self) -> None:
        given: Any = self.transforms
        check(isinstance(given, tuple | list), "transforms", "a tuple of transforms", given)
        known = " | ".join(t.__name__ for t in TRANSFORMS)
        for t in given:
            is_fine = isinstance(t, TRANSFORMS) or (callable(t) and not isinstance(t, type | Transform))
            check(is_fine, "a transform", f"{known}, or a function of (image, rng)", t)
        made = tuple(t if isinstance(t, Transform) else Custom(function=t) for t in given)
        object.__setattr__(self, "transforms", made)
        names = " | ".join(t.__name__ for t in MIXINGS)
        mixing: Any = self.mixing
        is_fine = isinstance(mixing, tuple | list) and all(isinstance(m, MIXINGS) for m in mixing)
        check(is_fine, "mixing", f"a tuple of {names}", mixing)
        object.__setattr__(self, "mixing", tuple(mixing))
        self._check_order()

    def _check_order(self) -> None:
        is_late = any(isinstance(t, RandomResizedCrop) for t in self.transforms[1:])
        check(not is_late, "RandomResizedCrop", "first, because it chooses what is resized", self.transforms)
        framing, rest = self.framing, self.transforms[len(self.framing) :]
        is_late = any(isinstance(t, Resize | CenterCrop) for t in rest)
        check(not is_late, "Resize and CenterCrop", "first, because they take the place of the contract's", rest)
        is_open = bool(framing) and isinstance(framing[-1], Resize) and isinstance(framing[-1].size, int)
        check(not is_open, "Resize by the shorter side", "followed by CenterCrop, or sizes differ", framing)
        is_early = [t.is_normalized for t in rest] != sorted(t.is_normalized for t in rest)
        check(not is_early, "RandomErasing", "last, because it changes normalized values", self.transforms)

    @property
    def view(self) -> RandomResizedCrop | None:
        """The transform that takes the place of the contract's resize and crop, or None."""
        first = self.transforms[0] if self.transforms else None
        return first if isinstance(first, RandomResizedCrop) else None

    @property
    def framing(self) -> tuple[Resize | CenterCrop, ...]:
        """The leading Resize and CenterCrop, which take the place of the contract's; empty: the contract's hold."""
        return tuple(takewhile(lambda t: isinstance(t, Resize | CenterCrop), self.transforms))  # type: ignore[arg-type]

    @property
    def framed_size(self) -> tuple[int, int] | None:
        """Height and width that `framing` leaves of every image, or None without one."""
        return self.framing[-1].shape(1, 1) if self.framing else None

    def draw(self, draws: Draws, place: int, sizes: Array) -> Array:
        """Parameters of the transform at `place`, one row per sample, for images of `sizes` (n × 2)."""
        return self.transforms[place].draw(draws, place * STREAMS, sizes)

    def mixture(self, rng: np.random.Generator, size: tuple[int, int]) -> Mixture | None:
        """How a batch of images of `size` (height, width) is mixed, or None without mixing."""
        if not self.mixing:
            return None
        return self.mixing[int(rng.integers(len(self.mixing)))].draw(rng, size)
