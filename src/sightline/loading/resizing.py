"""Resizing by torch: the fast path of the contract's framing, within two levels of Pillow.

torch's antialiased resize of an interleaved uint8 image takes a third of Pillow's time; on planes it would be slower
than on interleaved pixels by 2.4.

Both work in two passes and clip in between. torch always goes along the rows first; Pillow, from version 13 on, along
the columns where the height loses more than twice the pixels that the width loses. Bicubic overshoots at saturated
edges and would be clipped differently there, by up to 17 levels: such an image is resized lying on its side.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from sightline.preprocessing import Preprocessing, reference

Array = npt.NDArray[Any]


def engines(*, exact: bool) -> dict[str, str]:
    """Which libraries decode and resize, with their versions: other ones may change a level here and there."""
    pillow = f"Pillow {version('Pillow')}"
    return {
        "jpeg": f"simplejpeg {version('simplejpeg')}", "other images": pillow,
        "resize": pillow if exact else f"torch {torch.__version__.partition('+')[0]}, antialiased",
    }  # fmt: skip


def resized(levels: Array, height: int, width: int, contract: Preprocessing) -> Array:
    """The image (height × width × channels) at another size, by the contract's interpolation."""
    if levels.shape[:2] == (height, width):
        return levels
    if not contract.antialias or contract.interpolation not in {"bilinear", "bicubic"}:
        plain = np.ascontiguousarray(levels)
        return reference.resized(plain, height, width, contract.interpolation, contract.antialias)
    lost = levels.shape[0] - height, levels.shape[1] - width
    if contract.interpolation == "bicubic" and lost[0] > max(0, 2 * lost[1]):
        return _resized(levels.transpose(1, 0, 2), width, height, contract.interpolation).transpose(1, 0, 2)
    return _resized(levels, height, width, contract.interpolation)


def _resized(levels: Array, height: int, width: int, interpolation: str) -> Array:
    # The batch axis comes first: only then does torch see the interleaved layout, and keep it in the result.
    image = torch.from_numpy(np.require(levels, requirements=["C", "W"])).unsqueeze(0).permute(0, 3, 1, 2)
    out = F.interpolate(image, size=(height, width), mode=interpolation, antialias=True)
    if out.dtype != torch.uint8:
        out = out.clamp_(0, 255)
    return np.asarray(out[0].permute(1, 2, 0).numpy())


def framed(levels: Array, contract: Preprocessing) -> Array:
    """`size` × channels of levels at native size: resized and cropped as the contract says."""
    g = contract.geometry(levels.shape[0], levels.shape[1])
    return reference.window(resized(levels, g.height, g.width, contract), g.top, g.left, contract.size, contract.ground)
