"""Random transforms as frozen values. Their randomness is an argument: the draws of (seed, epoch, sample).

Each transform draws one row of parameters per sample, for a whole batch in one array operation, and has a plain
`apply` for one image. That is the yardstick; faster ways to do the same to a batch are held to it by tests.
"""

from sightline.augmentation.augmentation import TRANSFORMS, Augmentation
from sightline.augmentation.colour import LUMA, ColorJitter, Grayscale, grey_of
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
from sightline.augmentation.mixing import MIXINGS, CutMix, Mixing, Mixture, MixUp, mixed
from sightline.augmentation.policies import AutoAugment, Policy, RandAugment, TrivialAugment
from sightline.augmentation.ready import none, photograph, small
from sightline.augmentation.transform import STREAMS, Transform

__all__ = [
    "photograph", "small", "none", "Augmentation", "Transform",
    "RandomResizedCrop", "Resize", "CenterCrop", "RandomHorizontalFlip", "AlternatingFlip", "PadCrop", "RandomAffine",
    "ColorJitter", "Grayscale", "Policy", "RandAugment", "TrivialAugment", "AutoAugment", "RandomErasing", "Custom",
    "MixUp", "CutMix", "Mixing", "Mixture", "mixed", "TRANSFORMS", "MIXINGS", "STREAMS", "LUMA", "grey_of",
]  # fmt: skip
