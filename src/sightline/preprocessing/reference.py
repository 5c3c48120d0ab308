"""What the contract does to pixels, in plain numpy and Pillow: the yardstick of every faster path.

Levels are 0 … 255. 8-bit images stay uint8; 16-bit images become float32 levels (value / 257, so 65535 is 255).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from sightline.images import Pixels

Array = npt.NDArray[Any]

RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True, slots=True)
class Geometry:
    """What happens to an image of a certain height and width: resize to `height` × `width`, then cut the window."""

    height: int
    width: int
    top: int
    """First row of the window in the resized image; negative where it must be padded."""
    left: int


def levels_of(pixels: Pixels) -> Array:
    """Levels of native pixels, scaled by their own stored depth: uint8 as they are, or float32."""
    if pixels.values.dtype == np.uint16:
        return pixels.values.astype(np.float32) / np.float32(257)
    return pixels.values


def without_alpha(levels: Array, alpha: str) -> Array:
    """1 or 3 channels: transparency laid over white or black, or simply left away ("drop")."""
    channels = levels.shape[2]
    if channels in {1, 3}:
        return levels
    colours, opacity = levels[..., :-1], levels[..., -1:]
    if alpha == "drop":
        return colours
    ground = 255 if alpha == "white" else 0
    # Rounded in integers, the same on every machine.
    mixed = colours.astype(np.uint32) * opacity + ground * (255 - opacity.astype(np.uint32))
    return ((mixed + 127) // 255).astype(np.uint8)


def in_colour_mode(levels: Array, color_mode: str) -> Array:
    """Contiguous height × width × 3 ("RGB") or × 1 ("L"); grey from colour by ITU-R 601 in Pillow's integer weights."""
    channels = levels.shape[2]
    if color_mode == "RGB" and channels == 1:
        return np.repeat(levels, 3, axis=2)
    if color_mode == "L" and channels == 3:
        if levels.dtype == np.uint8:
            return np.asarray(Image.fromarray(np.ascontiguousarray(levels)).convert("L"))[:, :, None]
        weights = np.array([19595, 38470, 7471], np.float64) / 65536
        return (levels.astype(np.float64) @ weights).astype(np.float32)[:, :, None]
    return np.ascontiguousarray(levels)


def resized(levels: Array, height: int, width: int, interpolation: str, antialias: bool) -> Array:
    """The image at `height` × `width`; an image that has that size already is returned untouched."""
    if levels.shape[:2] == (height, width):
        return levels
    if levels.dtype == np.uint8:
        image = Image.fromarray(levels[:, :, 0] if levels.shape[2] == 1 else levels)
        out = np.asarray(_resized(image, height, width, interpolation, antialias))
        return out[:, :, None] if out.ndim == 2 else out
    planes = [Image.fromarray(np.ascontiguousarray(levels[:, :, c])) for c in range(levels.shape[2])]
    out = np.stack([np.asarray(_resized(p, height, width, interpolation, antialias)) for p in planes], axis=2)
    return np.asarray(np.clip(out, 0, 255))  # bicubic and lanczos overshoot; 8-bit images are clipped by Pillow itself


def _resized(image: Image.Image, height: int, width: int, interpolation: str, antialias: bool) -> Image.Image:
    method = RESAMPLING[interpolation]
    if antialias or interpolation == "nearest":
        return image.resize((width, height), method)
    # Pillow's resize always filters over the whole footprint of a pixel; its affine transform reads points.
    step_x, step_y = image.width / width, image.height / height
    coefficients = (step_x, 0.0, 0.0, 0.0, step_y, 0.0)
    return image.transform((width, height), Image.Transform.AFFINE, coefficients, method)


def window(levels: Array, top: int, left: int, size: tuple[int, int], ground: tuple[int, ...]) -> Array:
    """The `size` window whose first pixel is (top, left); outside the image it shows `ground`, one level a channel."""
    height, width = size
    if top >= 0 and left >= 0 and top + height <= levels.shape[0] and left + width <= levels.shape[1]:
        return levels[top : top + height, left : left + width]
    out = np.empty((height, width, levels.shape[2]), levels.dtype)
    out[:] = np.asarray(ground, levels.dtype)
    y0, x0 = max(top, 0), max(left, 0)
    part = levels[y0 : max(top + height, 0), x0 : max(left + width, 0)]
    out[y0 - top : y0 - top + part.shape[0], x0 - left : x0 - left + part.shape[1]] = part
    return out


def geometry_of(
    height: int, width: int, resize: str, resize_to: int | tuple[int, int] | None, crop: str, size: tuple[int, int]
) -> Geometry:
    """Where an image of `height` × `width` goes; the roundings are those of torchvision, timm and transformers."""
    new_h, new_w = _resized_shape(height, width, resize, resize_to)
    if crop == "none":
        return Geometry(new_h, new_w, 0, 0)
    return Geometry(new_h, new_w, _offset(new_h, size[0], crop), _offset(new_w, size[1], crop))


def _resized_shape(height: int, width: int, resize: str, resize_to: int | tuple[int, int] | None) -> tuple[int, int]:
    if isinstance(resize_to, int):  # "shortest"
        longest = int(resize_to * max(height, width) / min(height, width))
        return (longest, resize_to) if width <= height else (resize_to, longest)
    if resize_to is None:  # "none"
        return height, width
    if resize == "squash":
        return resize_to
    ratios = (height / resize_to[0], width / resize_to[1])
    ratio = min(ratios) if resize == "cover" else max(ratios)
    return max(round(height / ratio), 1), max(round(width / ratio), 1)


def _offset(have: int, want: int, crop: str) -> int:
    spare = have - want
    if spare < 0:
        return -((-spare) // 2)
    return spare // 2 if crop == "center-floor" else round(spare / 2)  # to the even neighbour, as torchvision does
