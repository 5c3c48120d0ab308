"""The usual augmentations, by what they are for."""

from __future__ import annotations

from sightline.augmentation.augmentation import Augmentation
from sightline.augmentation.colour import ColorJitter
from sightline.augmentation.geometry import PadCrop, RandomHorizontalFlip, RandomResizedCrop
from sightline.augmentation.policies import Policy
from sightline.augmentation.transform import Transform, check


def none() -> Augmentation:
    """No random change: training sees the pixels of the contract, in random order."""
    return Augmentation()


def photograph(
    size: int | tuple[int, int] = 224, *, scale: tuple[float, float] | None = None, flip: bool = True,
    jitter: float = 0.0, policy: Policy | None = None,
) -> Augmentation:  # fmt: skip
    """Random resized crops, horizontal flips and, by `policy` and `jitter`, other colours, for photographs at `size`.

    `scale` is the share of the image's area; below 160 px it begins at 0.35, because a small input cannot show the
    detail of a tiny crop, else at the customary 0.08. `policy` is a RandAugment, TrivialAugment or AutoAugment.
    """
    pixels = size if isinstance(size, int) else min(size)
    transforms: list[Transform] = [RandomResizedCrop(scale=scale or ((0.35, 1.0) if pixels < 160 else (0.08, 1.0)))]
    if flip:
        transforms.append(RandomHorizontalFlip())
    if policy is not None:
        transforms.append(policy)
    if jitter:
        transforms.append(ColorJitter(brightness=jitter, contrast=jitter, saturation=jitter))
    return Augmentation(transforms=tuple(transforms))


def small(size: int | tuple[int, int] = 32, *, padding: int | None = None, flip: bool = True) -> Augmentation:
    """Shifts by up to `padding` pixels (an eighth of `size` when not given) and horizontal flips, for small images.

    Flips are wrong where mirrored images mean other things: digits, letters, scans of bodies.
    """
    pixels = size if isinstance(size, int) else min(size)
    shift = pixels // 8 if padding is None else padding
    check(shift < pixels, "padding", f"below the image size {pixels}", padding)
    crop = PadCrop(padding=shift)
    return Augmentation(transforms=(crop, RandomHorizontalFlip()) if flip else (crop,))
