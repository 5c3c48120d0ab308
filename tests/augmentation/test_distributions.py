"""Moments of the outputs over many draws agree with torchvision's, within the standard error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode, v2

from sightline.augmentation import (
    AutoAugment,
    ColorJitter,
    Grayscale,
    PadCrop,
    RandAugment,
    RandomAffine,
    RandomErasing,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
    Transform,
    TrivialAugment,
)
from sightline.randomness import Draws
from tests.augmentation.material import HASHES, Array, photo, sizes

N = 1_200
BOUND = 4.5
"""Standard errors; among some 500 differences the largest is about 3.1."""
LEVELS = photo(16, 20)
VALUES = (LEVELS / np.float32(255) - np.float32(0.45)) / np.float32(0.25)

Case = tuple[Transform, Any]
CASES: dict[str, Case] = {
    "crop": (RandomResizedCrop(), v2.RandomResizedCrop((16, 20))),
    "narrow crop": (
        RandomResizedCrop(scale=(0.2, 0.5), ratio=(0.5, 3)), v2.RandomResizedCrop((16, 20), (0.2, 0.5), (0.5, 3)),
    ),
    "flip": (RandomHorizontalFlip(p=0.3), v2.RandomHorizontalFlip(0.3)),
    "pad and crop": (PadCrop(padding=4), v2.RandomCrop((16, 20), padding=4, padding_mode="reflect")),
    "pad with black": (PadCrop(padding=4, border="black"), v2.RandomCrop((16, 20), padding=4)),
    # Without translation, which torchvision rounds to whole pixels, and without its fill, which weighs edges twice.
    "affine": (
        RandomAffine(degrees=25, scale=(0.8, 1.0), translate=0, shear=10),
        v2.RandomAffine(25, None, (0.8, 1.0), 10, InterpolationMode.BILINEAR, fill=None),
    ),
    "jitter": (ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.2), v2.ColorJitter(0.4, 0.4, 0.4, 0.2)),
    "grey": (Grayscale(p=0.2), v2.RandomGrayscale(0.2)),
    "RandAugment": (RandAugment(), v2.RandAugment()),
    "TrivialAugment": (TrivialAugment(), v2.TrivialAugmentWide()),
    "AutoAugment": (AutoAugment(), v2.AutoAugment()),
    "AutoAugment of CIFAR-10": (AutoAugment(policy="cifar10"), v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10)),
    "erasing": (RandomErasing(p=0.5), v2.RandomErasing(0.5)),
    "noise": (
        RandomErasing(p=0.7, scale=(0.1, 0.5), ratio=(0.5, 3), value="random"),
        v2.RandomErasing(0.7, (0.1, 0.5), (0.5, 3), "random"),
    ),
}  # fmt: skip


def moments(values: Array) -> Array:
    """Mean and mean square of each quarter and channel, mean and mean square of the steps to the right and down."""
    x = values.astype(np.float64)
    h, w = x.shape[0] // 2, x.shape[1] // 2
    quarters = np.stack([x[:h, :w], x[:h, w:], x[h:, :w], x[h:, w:]])
    steps = [np.diff(x, axis=axis) for axis in (0, 1)]
    means = [*quarters.mean(axis=(1, 2)), *(quarters**2).mean(axis=(1, 2)), *(s.mean(axis=(0, 1)) for s in steps)]
    return np.concatenate([*means, *((s**2).mean(axis=(0, 1)) for s in steps)])


def ours(transform: Transform) -> Callable[[Array], Array]:
    if isinstance(transform, RandomResizedCrop):
        return lambda p: Resize(size=(16, 20)).apply(transform.apply(LEVELS, p), p)
    return lambda p: transform.apply(VALUES if transform.is_normalized else LEVELS, p)


def theirs(transform: Transform, other: Any) -> Array:
    if isinstance(transform, RandomErasing):
        return np.asarray(other(torch.from_numpy(VALUES).permute(2, 0, 1)).permute(1, 2, 0))
    if isinstance(transform, ColorJitter | RandomAffine):
        # On floats: with Pillow each step of colour is cut to whole levels, and edges are cut hard.
        return np.asarray(other(torch.from_numpy(LEVELS).permute(2, 0, 1).float() / 255).permute(1, 2, 0)) * 255
    return np.asarray(other(Image.fromarray(LEVELS)))


@pytest.mark.parametrize("name", CASES)
def test_moments_agree_with_torchvisions(name: str) -> None:
    transform, other = CASES[name]
    rows = transform.draw(Draws(1, 0, HASHES[:N]), 0, sizes(16, 20, N))
    first = np.stack([moments(ours(transform)(p)) for p in rows])
    torch.manual_seed(0)
    second = np.stack([moments(theirs(transform, other)) for _ in range(N)])
    error = np.sqrt((first.var(axis=0) + second.var(axis=0)) / N)
    away = np.abs(first.mean(axis=0) - second.mean(axis=0)) / error
    assert away.max() < BOUND
    # The same test tells apart what differs: the image as it was is not within the bound.
    still = np.abs(first.mean(axis=0) - moments(VALUES if transform.is_normalized else LEVELS)) / error
    assert still.max() > BOUND
