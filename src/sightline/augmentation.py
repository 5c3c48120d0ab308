"""Random transforms as frozen values. Their randomness is an argument: the draws of (seed, epoch, sample).

Each transform draws one row of parameters per sample, for a whole batch in one array operation, and has a plain
`apply` for one image. That is the yardstick; faster ways to do the same to a batch are held to it by tests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sightline.errors import RecipeError
from sightline.randomness import Draws

Array = npt.NDArray[Any]

STREAMS = 64
"""Random streams reserved for each place in the list of transforms."""
TRIES = 10
"""How often a crop is drawn before the whole image is taken."""


def _check(is_fine: bool, name: str, wanted: str, got: Any) -> None:
    if not is_fine:
        raise RecipeError(f"augmentation: {name} must be {wanted}, got {got!r}.")


@dataclass(frozen=True, kw_only=True)
class RandomResizedCrop:
    """A random part of the image, resized to the input size: it takes the place of the contract's resize and crop."""

    scale: tuple[float, float] = (0.08, 1.0)
    """Share of the image's area, uniform."""
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    """Width over height, log-uniform."""

    def __post_init__(self) -> None:
        _check(0 < self.scale[0] <= self.scale[1] <= 1, "RandomResizedCrop.scale", "0 < low <= high <= 1", self.scale)
        _check(0 < self.ratio[0] <= self.ratio[1], "RandomResizedCrop.ratio", "0 < low <= high", self.ratio)

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


@dataclass(frozen=True, kw_only=True)
class RandomHorizontalFlip:
    """Left and right exchanged with probability `p`."""

    p: float = 0.5

    def __post_init__(self) -> None:
        _check(0 <= self.p <= 1, "RandomHorizontalFlip.p", "a probability", self.p)

    def draw(self, draws: Draws, stream: int, sizes: Array) -> Array:
        """Whether each sample is flipped (bool, n)."""
        return draws.uniform(stream) < self.p

    def apply(self, levels: Array, parameters: Array) -> Array:
        """The image, mirrored where the parameter says so."""
        return levels[:, ::-1] if parameters else levels


@dataclass(frozen=True, kw_only=True)
class AlternatingFlip:
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


@dataclass(frozen=True, kw_only=True)
class PadCrop:
    """The image with a border of `padding` pixels, cropped to its size again at a random place."""

    padding: int = 4
    border: str = "reflect"
    """reflect: the image mirrored at its edge, which is not repeated; black."""

    def __post_init__(self) -> None:
        _check(self.padding >= 0, "PadCrop.padding", "a number of pixels, 0 or more", self.padding)
        _check(self.border in {"reflect", "black"}, "PadCrop.border", "'reflect' or 'black'", self.border)

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
        _check(self.padding < min(height, width), "PadCrop.padding", f"below {height} × {width} pixels", self.padding)
        return np.asarray(levels.take(self._mirrored(height), axis=0).take(self._mirrored(width), axis=1))

    def _mirrored(self, n: int) -> Array:
        i = np.abs(np.arange(-self.padding, n + self.padding))
        return np.asarray(np.minimum(i, 2 * (n - 1) - i))

    def apply(self, levels: Array, parameters: Array) -> Array:
        """The crop of the padded image."""
        top, left = (int(p) for p in parameters)
        return self.padded(levels)[top : top + levels.shape[0], left : left + levels.shape[1]]


@dataclass(frozen=True, kw_only=True)
class RandomAffine:
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
        _check(0 < self.scale[0] <= self.scale[1], "RandomAffine.scale", "0 < low <= high", self.scale)
        _check(0 <= self.translate <= 1, "RandomAffine.translate", "a share in [0, 1]", self.translate)
        _check(0 <= self.degrees <= 180, "RandomAffine.degrees", "between 0 and 180", self.degrees)
        _check(0 <= self.shear < 90, "RandomAffine.shear", "between 0 and 90 degrees", self.shear)

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
        return np.rint(out).astype(np.uint8) if levels.dtype == np.uint8 else out.astype(levels.dtype)


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


@dataclass(frozen=True, kw_only=True)
class ColorJitter:
    """Brightness, contrast and saturation changed by uniform factors, in this order; the result is clipped once."""

    brightness: float = 0.3
    """Levels times 1 ± this."""
    contrast: float = 0.3
    """Distances from the image's mean grey times 1 ± this."""
    saturation: float = 0.3
    """Distances from each pixel's grey times 1 ± this."""

    def __post_init__(self) -> None:
        for name in ("brightness", "contrast", "saturation"):
            _check(0 <= getattr(self, name) <= 1, f"ColorJitter.{name}", "in [0, 1]", getattr(self, name))

    def draw(self, draws: Draws, stream: int, sizes: Array) -> Array:
        """The three factors of each sample (float64, n × 3)."""
        widths = (self.brightness, self.contrast, self.saturation)
        return np.stack([draws.uniform(stream + k, 1 - w, 1 + w) for k, w in enumerate(widths)], axis=1)

    def apply(self, levels: Array, parameters: Array) -> Array:
        """The image with other colours; uint8 is rounded to the nearest level."""
        brightness, contrast, saturation = parameters
        out = levels.astype(np.float64) * brightness
        out = out * contrast + (1 - contrast) * grey_of(out).mean()
        out = np.asarray(np.clip(out * saturation + (1 - saturation) * grey_of(out)[..., None], 0, 255))
        return np.rint(out).astype(np.uint8) if levels.dtype == np.uint8 else out.astype(levels.dtype)


LUMA = (0.299, 0.587, 0.114)
"""Grey of a colour, ITU-R 601."""


def grey_of(levels: Array) -> Array:
    """Grey of the last axis: 3 channels, or 1 that is grey already."""
    if levels.shape[-1] == 1:
        return levels[..., 0]
    red, green, blue = (levels[..., c] * w for c, w in enumerate(LUMA))
    return np.asarray(red + green + blue)


Transform = RandomResizedCrop | RandomHorizontalFlip | AlternatingFlip | PadCrop | RandomAffine | ColorJitter

TRANSFORMS = (RandomResizedCrop, RandomHorizontalFlip, AlternatingFlip, PadCrop, RandomAffine, ColorJitter)


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random transforms, in the order in which they are applied to the 8-bit levels of an image."""

    transforms: tuple[Transform, ...] = ()

    def __post_init__(self) -> None:
        known = " | ".join(t.__name__ for t in TRANSFORMS)
        _check(all(isinstance(t, TRANSFORMS) for t in self.transforms), "a transform", known, self.transforms)
        is_late = any(isinstance(t, RandomResizedCrop) for t in self.transforms[1:])
        _check(not is_late, "RandomResizedCrop", "first, because it chooses what is resized", self.transforms)

    @property
    def view(self) -> RandomResizedCrop | None:
        """The transform that takes the place of the contract's resize and crop, or None."""
        first = self.transforms[0] if self.transforms else None
        return first if isinstance(first, RandomResizedCrop) else None

    def draw(self, draws: Draws, place: int, sizes: Array) -> Array:
        """Parameters of the transform at `place`, one row per sample, for images of `sizes` (n × 2)."""
        return self.transforms[place].draw(draws, place * STREAMS, sizes)


def none() -> Augmentation:
    """No random change: training sees the pixels of the contract, in random order."""
    return Augmentation()


def photograph(
    size: int | tuple[int, int] = 224, *, scale: tuple[float, float] | None = None, flip: bool = True,
    jitter: float = 0.0,
) -> Augmentation:  # fmt: skip
    """Random resized crops, horizontal flips and, by `jitter`, other colours, for photographs fed at `size`.

    `scale` is the share of the image's area; below 160 px it begins at 0.35, because a small input cannot show the
    detail of a tiny crop, else at the customary 0.08.
    """
    pixels = size if isinstance(size, int) else min(size)
    transforms: list[Transform] = [RandomResizedCrop(scale=scale or ((0.35, 1.0) if pixels < 160 else (0.08, 1.0)))]
    if flip:
        transforms.append(RandomHorizontalFlip())
    if jitter:
        transforms.append(ColorJitter(brightness=jitter, contrast=jitter, saturation=jitter))
    return Augmentation(transforms=tuple(transforms))


def small(size: int | tuple[int, int] = 32, *, padding: int | None = None, flip: bool = True) -> Augmentation:
    """Shifts by up to `padding` pixels (an eighth of `size` when not given) and horizontal flips, for small images.

    Flips are wrong where mirrored images mean other things: digits, letters, scans of bodies.
    """
    pixels = size if isinstance(size, int) else min(size)
    shift = pixels // 8 if padding is None else padding
    _check(shift < pixels, "padding", f"below the image size {pixels}", padding)
    crop = PadCrop(padding=shift)
    return Augmentation(transforms=(crop, RandomHorizontalFlip()) if flip else (crop,))
