"""Fixed framing in place of the contract's own: Resize and CenterCrop, with Pillow, bit for bit as torchvision does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from sightline.augmentation.transform import Array, Transform, check, is_whole
from sightline.randomness import Draws

RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def _is_size(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(is_whole(v, 1) for v in value)


@dataclass(frozen=True, kw_only=True)
class Resize(Transform):
    """The whole image at another size, antialiased."""

    size: int | tuple[int, int]
    """Length of the shorter side, or height and width, in pixels."""
    interpolation: str = "bilinear"
    """nearest (not antialiased), bilinear, bicubic or lanczos."""

    def __post_init__(self) -> None:
        is_fine = is_whole(self.size, 1) or _is_size(self.size)
        check(is_fine, "Resize.size", "pixels of the shorter side or (height, width)", self.size)
        names = " | ".join(RESAMPLING)
        check(self.interpolation in RESAMPLING, "Resize.interpolation", names, self.interpolation)

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the result for an image of `height` × `width`; a fraction of a pixel is dropped."""
        if isinstance(self.size, tuple):
            return self.size
        longer = int(self.size * max(height, width) / min(height, width))
        return (longer, self.size) if width <= height else (self.size, longer)

    def draw(self, draws: Draws, stream: int, sizes: Array) -> Array:
        """Nothing: no column."""
        return np.empty((len(sizes), 0))

    def apply(self, levels: Array, parameters: Array) -> Array:
        """The image resized; one that has the size already is returned untouched."""
        height, width = self.shape(*levels.shape[:2])
        if levels.shape[:2] == (height, width):
            return levels
        method = RESAMPLING[self.interpolation]
        if levels.dtype == np.uint8:
            image = Image.fromarray(np.ascontiguousarray(levels[:, :, 0] if levels.shape[2] == 1 else levels))
            return np.asarray(image.resize((width, height), method)).reshape(height, width, -1)
        planes = [Image.fromarray(np.ascontiguousarray(levels[:, :, c])) for c in range(levels.shape[2])]
        out = np.stack([np.asarray(p.resize((width, height), method)) for p in planes], axis=2)
        return np.asarray(np.clip(out, 0, 255))  # bicubic and lanczos overshoot; Pillow clips 8-bit images itself


@dataclass(frozen=True, kw_only=True)
class CenterCrop(Transform):
    """The middle of the image; where the image is smaller, black is added around it."""

    size: int | tuple[int, int]
    """Side of a square, or height and width, in pixels."""

    def __post_init__(self) -> None:
        is_fine = is_whole(self.size, 1) or _is_size(self.size)
        check(is_fine, "CenterCrop.size", "pixels of a square's side or (height, width)", self.size)

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the result, whatever the image's."""
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)

    def place(self, height: int, width: int) -> tuple[int, int]:
        """Row and column of the result's first pixel in an image of `height` × `width`; negative where black is."""
        wanted = self.shape(height, width)
        return _offset(height, wanted[0]), _offset(width, wanted[1])

    def draw(self, draws: Draws, stream: int, sizes: Array) -> Array:
        """Nothing: no column."""
        return np.empty((len(sizes), 0))

    def apply(self, levels: Array, parameters: Array) -> Array:
        """The middle of the image."""
        have = levels.shape[:2]
        (height, width), (top, left) = self.shape(*have), self.place(*have)
        above, before = max(-top, 0), max(-left, 0)
        below, behind = max(top + height - have[0], 0), max(left + width - have[1], 0)
        if above or before or below or behind:
            levels = np.pad(levels, ((above, below), (before, behind), (0, 0)))
        return levels[top + above : top + above + height, left + before : left + before + width]


def _offset(have: int, want: int) -> int:
    if want > have:
        return -((want - have) // 2)
    return round((have - want) / 2)  # to the even neighbour, as torchvision does
