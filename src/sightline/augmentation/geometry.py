"""Where pixels go: random crops, mirroring, shifts, affine maps."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from sightline.augmentation.transform import Array, Transform, as_levels, check
from sightline.randomness import Draws

TRIES = 10
"""How often a crop is drawn before the whole image is taken."""


@dataclass(frozen=True, kw_only=True)
class RandomResizedCrop(Transform):
    """A random part of the image, resized to the input size: it takes the place of the contract's resize and crop."""

    scale: tuple[float, float] = (0.08, 1.0)
    """Share of the image's area, uniform."""
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    """Width over height, log-uniform."""

    def __post_init__(self) -> None:
        check(0 < self.scale[0] <= self.scale[1] <= 1, "RandomResizedCrop.scale", "0 < low <= high <= 1", self.scale)
        check(0 < self.ratio[0] <= self.ratio[1], "RandomResizedCrop.ratio", "0 < low <= high", self.ratio)

    def draw(self, draws: Draws, stream: int, sizes: Array) -> Array:
        """top, left, height, width (int64, n × 4) inside images of `sizes` (n × 2: height, width)."""
        height, width = sizes[:, 0].astype(np.float64), sizes[:, 1].astype(np.float64)
        area = height * width * draws.uniform(range(stream, stream + TRIES), *self.scale)
        ratio = np.exp(draws.uniform(range(stream + TRIES, stream + 2 * TRIES), *(math.log(r) for r in self.ratio)))
        w, h = np.rint(np.sqrt(area * ratio)), np.rint(np.sqrt(area / ratio))  # tries × samples
        fits = (w >= 1) & (h >= 1) & (w <= width) & (h <= height)
        first, each = fits.argmax(axis=0), np.arange(len(sizes))
        w, h = w[first, each], h[first, each]
        y, x = draws.uniform(range(stream + 2 * TRIES, stream + 2 * TRIES + 2))
        boxes = np.stack([np.floor(y * (height - h + 1)), np.floor(x * (width - w + 1)), h, w], axis=1)
        return np.where(fits[first, each][:, None], boxes, self._whole(height, width)).astype(np.int64)

    def _whole(self, height: Array, width: Array) -> Array:
        """The largest central box whose ratio is allowed."""
        ratio = np.clip(width / height, *self.ratio)
        w = np.maximum(np.minimum(width, np.rint(height * ratio)), 1)
        h = np.maximum(np.minimum(height, np.rint(width / ratio)), 1)
        return np.stack([(height - h) // 2, (width - w) // 2, h, w], axis=1)

    def apply(self, levels: Array, parameters: Array) -> Array:
        """The part of the image inside the box; resizing it is left to the contract's interpolation."""
        top, left, height, width = (int(p) for p in parameters)
        return levels[top : top + height, left : left + width]

    def describe(self, parameters: Array) -> str:
        """Size and place of the box."""
        top, left, height, width = (int(p) for p in parameters)
        return f"crop {height} × {width} at ({top}, {left})"


@dataclass(frozen=True, kw_only=True)
class RandomHorizontalFlip(Transform):
    """Left and right exchanged with probability `p`."""

    p: float = 0.5

    def __post_init__(self) -> None:
        check(0 <= self.p <= 1, "RandomHorizontalFlip.p", "a probability", self.p)

    def draw(self, draws: Draws, stream: int, sizes: Array) -> Array:
        """Whether each sample is flipped (bool, n)."""
        return draws.uniform(stream) < self.p

    def apply(self, levels: Array, parameters: Array) -> Array:
        """The image, mirrored where the parameter says so."""
        return levels[:, ::-1] if parameters else levels

    def describe(self, parameters: Array) -> str:
        """`mirrored` or nothing."""
        return "mirrored" if parameters else ""


@dataclass(frozen=True, kw_only=True)
class AlternatingFlip(Transform):
    """Mirrored in every second epoch: half of the samples begin mirrored, and two epochs show each sample both ways.

    Less repetition than independent flips give. Source: Jordan, arXiv 2404.00498.
    """

    def draw(self, draws: Draws, stream: int, sizes: Array) -> Array:
        """Whether each sample is flipped in this epoch (bool, n)."""
        first = replace(draws, epoch=0).bits(stream) & np.uint64(1)
        return (first ^ np.uint64(draws.epoch & 1)).astype(bool)

    def apply(self, levels: Array, parameters: Array) -> Array:
        """The image, mirrored where the parameter says so."""
        return levels[:, ::-1] if parameters else levels

    def describe(self, parameters: Array) -> str:
        """`mirrored` or nothing."""
        return "mirrored" if parameters else ""


@dataclass(frozen=True, kw_only=True)
class PadCrop(Transform):
    """The image with a border of `padding` pixels, cropped to its size again at a random place."""

    padding: int = 4
    border: str = "reflect"
    """reflect: the image mirrored at its edge, which is not repeated; black."""

    def __post_init__(self) -> None:
        check(self.padding >= 0, "PadCrop.padding", "a number of pixels, 0 or more", self.padding)
        check(self.border in {"reflect", "black"}, "PadCrop.border", "'reflect' or 'black'", self.border)

    def draw(self, draws: Draws, stream: int, sizes: Array) -> Array:
        """Row and column in the padded image where the crop begins (int64, n × 2)."""
        n = 2 * self.padding + 1
        return np.stack([draws.integers(stream, n), draws.integers(stream + 1, n)], axis=1)

    def padded(self, levels: Array) -> Array:
        """The image (height × width × channels) with its border. Raises RecipeError if it is too small to mirror."""
        if self.border == "black":
            p = self.padding
            return np.pad(levels, ((p, p), (p, p), (0, 0)))
        height, width = levels.shape[:2]
        check(self.padding < min(height, width), "PadCrop.padding", f"below {height} × {width} pixels", self.padding)
        return np.asarray(levels.take(self._mirrored(height), axis=0).take(self._mirrored(width), axis=1))

    def _mirrored(self, n: int) -> Array:
        i = np.abs(np.arange(-self.padding, n + self.padding))
        return np.asarray(np.minimum(i, 2 * (n - 1) - i))

    def apply(self, levels: Array, parameters: Array) -> Array:
        """The crop of the padded image."""
        top, left = (int(p) for p in parameters)
        return self.padded(levels)[top : top + levels.shape[0], left : left + levels.shape[1]]

    def describe(self, parameters: Array) -> str:
        """How far the image moved down and right."""
        down, right = (self.padding - int(p) for p in parameters)
        return f"moved {down:+d} down, {right:+d} right" if down or right else ""


@dataclass(frozen=True, kw_only=True)
class RandomAffine(Transform):
    """Turned, scaled and moved a little around its middle, with bilinear interpolation; what comes in is black."""

    degrees: float = 10.0
    """Turned by up to this angle either way, uniform."""
    scale: tuple[float, float] = (0.9, 1.1)
    """Enlarged by a uniform factor."""
    translate: float = 0.1
    """Moved by up to this share of height and of width either way, uniform."""
    shear: float = 0.0
    """Sheared along x by up to this angle either way, in degrees, uniform."""

    def __post_init__(self) -> None:
        check(0 < self.scale[0] <= self.scale[1], "RandomAffine.scale", "0 < low <= high", self.scale)
        check(0 <= self.translate <= 1, "RandomAffine.translate", "a share in [0, 1]", self.translate)
        check(0 <= self.degrees <= 180, "RandomAffine.degrees", "between 0 and 180", self.degrees)
        check(0 <= self.shear < 90, "RandomAffine.shear", "between 0 and 90 degrees", self.shear)

    def draw(self, draws: Draws, stream: int, sizes: Array) -> Array:
        """Matrices (float64, n × 2 × 3) from output to input positions: x, y in pixels from the middle."""
        angle = np.radians(draws.uniform(stream, -self.degrees, self.degrees))
        factor = draws.uniform(stream + 1, *self.scale)
        x = draws.uniform(stream + 2, -self.translate, self.translate) * sizes[:, 1]
        y = draws.uniform(stream + 3, -self.translate, self.translate) * sizes[:, 0]
        slope = np.tan(np.radians(draws.uniform(stream + 4, -self.shear, self.shear)))
        cos, sin = np.cos(angle) / factor, np.sin(angle) / factor
        # The inverse of: shear, turn, enlarge, move.
        a, b, c, d = cos + slope * sin, sin - slope * cos, -sin, cos
        return np.stack([np.stack([a, b, -a * x - b * y], 1), np.stack([c, d, -c * x - d * y], 1)], axis=1)

    def apply(self, levels: Array, parameters: Array) -> Array:
        """The image seen through the matrix; uint8 is rounded to the nearest level."""
        height, width = levels.shape[:2]
        y, x = np.mgrid[:height, :width].astype(np.float64)
        x, y = x + 0.5 - width / 2, y + 0.5 - height / 2
        (a, b, u), (c, d, v) = parameters
        source_x, source_y = a * x + b * y + u + width / 2 - 0.5, c * x + d * y + v + height / 2 - 0.5
        out = _bilinear(levels.astype(np.float64), source_y, source_x)
        return as_levels(out, levels.dtype)

    def describe(self, parameters: Array) -> str:
        """Angle, enlargement and shift."""
        forward = np.linalg.inv(parameters[:, :2])
        x, y = -forward @ parameters[:, 2]
        angle, factor = math.degrees(math.atan2(forward[1, 0], forward[0, 0])), math.sqrt(np.linalg.det(forward))
        return f"turned {angle:+.0f}°, × {factor:.2f}, moved {y:+.0f} down, {x:+.0f} right"


def _bilinear(values: Array, y: Array, x: Array) -> Array:
    """Values at fractional positions; 0 outside the image."""
    height, width = values.shape[:2]
    bordered = np.pad(values, ((1, 1), (1, 1), (0, 0)))
    y, x = np.clip(y, -1, height) + 1, np.clip(x, -1, width) + 1
    y0, x0 = np.minimum(np.floor(y), height).astype(np.int64), np.minimum(np.floor(x), width).astype(np.int64)
    fy, fx = (y - y0)[..., None], (x - x0)[..., None]
    top = bordered[y0, x0] * (1 - fx) + bordered[y0, x0 + 1] * fx
    bottom = bordered[y0 + 1, x0] * (1 - fx) + bordered[y0 + 1, x0 + 1] * fx
    return np.asarray(top * (1 - fy) + bottom * fy)
