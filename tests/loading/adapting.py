"""What the adapters are tried with: evaluation, and augmentations of every kind, one's own among them."""

from __future__ import annotations

import numpy as np

from sightline.augmentation import (
    Augmentation,
    ColorJitter,
    PadCrop,
    RandAugment,
    RandomErasing,
    RandomHorizontalFlip,
    RandomResizedCrop,
)


def speckled(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A transform of one's own."""
    return np.where(rng.random(image.shape[:2])[..., None] < 0.1, np.uint8(255), image)


CASES: dict[str, tuple[str, Augmentation | None]] = {
    "evaluation": ("files", None),
    "photographs": ("files", Augmentation(transforms=(RandomResizedCrop(), RandomHorizontalFlip(), ColorJitter(),
                                                      RandAugment(), RandomErasing(p=0.5, value="random")))),
    "framed, one's own": ("files", Augmentation(transforms=(RandomHorizontalFlip(), speckled))),  # type: ignore[arg-type]
    "tiny": ("arrays", Augmentation(transforms=(PadCrop(padding=2), RandomHorizontalFlip()))),
}  # fmt: skip
