"""MixUp and CutMix: two images of a batch in one, and their targets with them.

The partner of place i is place n - 1 - i. The order of an epoch is random, so the partner is too; the middle image of
an odd batch has none and stays as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sightline.augmentation.transform import Array, as_levels, check


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """How the images of one batch are mixed with their partners."""

    weight: float
    """Share of an image that stays its own, in [0, 1]; the partner's share is 1 - weight, in the target too."""
    box: tuple[int, int, int, int] | None = None
    """top, left, height, width of what comes from the partner; None: every pixel is the weighted sum of both."""

    def describe(self) -> str:
        """What is mixed, in a few words."""
        if self.box is None:
            return f"{self.weight:.0%} + {1 - self.weight:.0%} of its partner"
        top, left, height, width = self.box
        return f"its partner's {height} × {width} at ({top}, {left}): {1 - self.weight:.0%}"


@dataclass(frozen=True, kw_only=True)
class MixUp:
    """Each image a weighted sum of itself and its partner. Source: Zhang et al., arXiv 1710.09412."""

    alpha: float = 0.2
    """The weight is drawn from Beta(alpha, alpha): near 0 or 1 for a small alpha, uniform for 1."""

    def __post_init__(self) -> None:
        check(self.alpha > 0, "MixUp.alpha", "above 0", self.alpha)

    def draw(self, rng: np.random.Generator, size: tuple[int, int]) -> Mixture:
        """The mixture of one batch of images of `size` (height, width)."""
        return Mixture(weight=float(rng.beta(self.alpha, self.alpha)))


@dataclass(frozen=True, kw_only=True)
class CutMix:
    """A box of each image replaced by that part of its partner. Source: Yun et al., arXiv 1905.04899."""

    alpha: float = 1.0
    """The box's share of the area, before the border cuts it, is drawn from Beta(alpha, alpha)."""

    def __post_init__(self) -> None:
        check(self.alpha > 0, "CutMix.alpha", "above 0", self.alpha)

    def draw(self, rng: np.random.Generator, size: tuple[int, int]) -> Mixture:
        """The mixture of one batch of images of `size` (height, width); its weight is the exact share of own pixels."""
        height, width = size
        half = 0.5 * math.sqrt(1 - rng.beta(self.alpha, self.alpha))
        y, x = int(rng.integers(height)), int(rng.integers(width))
        half_h, half_w = int(half * height), int(half * width)
        top, left = max(y - half_h, 0), max(x - half_w, 0)
        h, w = min(y + half_h, height) - top, min(x + half_w, width) - left
        return Mixture(weight=1 - h * w / (height * width), box=(top, left, h, w))


Mixing = MixUp | CutMix

MIXINGS = (MixUp, CutMix)


def mixed(images: Array, targets: Array, mixture: Mixture, is_fine: Array | None = None) -> tuple[Array, Array]:
    """Images (n × height × width × channels) and float targets (n × classes) mixed with their partners: the yardstick.

    `is_fine` (bool, n) tells the images that mean something; a pair with another one stays as it is.
    """
    n = len(images)
    fine = np.ones(n, bool) if is_fine is None else np.asarray(is_fine, bool)
    chosen = fine & fine[::-1] & (np.arange(n) != n - 1 - np.arange(n))
    own, other = mixture.weight, 1 - mixture.weight
    if mixture.box is None:
        whole = as_levels(own * images.astype(np.float64) + other * images[::-1].astype(np.float64), images.dtype)
    else:
        top, left, height, width = mixture.box
        part = (slice(None), slice(top, top + height), slice(left, left + width))
        whole = images.copy()
        whole[part] = images[::-1][part]
    both = (own * targets + other * targets[::-1]).astype(targets.dtype)
    return np.where(chosen[:, None, None, None], whole, images), np.where(chosen[:, None], both, targets)
