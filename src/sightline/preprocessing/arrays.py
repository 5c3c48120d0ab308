"""Pixels of arrays that people pass instead of files: what their shape and type must say."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sightline.errors import ContractError
from sightline.images import Pixels


def pixels_of(array: npt.NDArray[Any], name: str, channels: int, color_mode: str) -> Pixels:
    """Pixels of height × width × `channels` (height × width for 1): uint8, uint16, or floats in [0, 1] as levels.

    Raises ContractError naming `name` for another shape, type or range.
    """
    values = np.asarray(array)
    values = values[:, :, None] if values.ndim == 2 else values
    if values.ndim != 3 or values.shape[2] != channels or 0 in values.shape:
        is_turned = values.ndim == 3 and values.shape[0] == channels
        hint = "It looks like channels × height × width: transpose(1, 2, 0)." if is_turned else "Convert it first."
        raise ContractError(
            f"{name} has the shape {np.shape(array)}; this model's preprocessing expects height × width × {channels} "
            f"({color_mode}). {hint}"
        )
    if values.dtype == np.uint8:
        return Pixels(values, 8)
    if values.dtype == np.uint16:
        return Pixels(values, 16)
    if values.dtype.kind != "f":
        raise ContractError(f"{name} has values of type {values.dtype}; wanted uint8, uint16, or floats in [0, 1].")
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 1):
        raise ContractError(
            f"{name} has floats from {low:g} to {high:g}; this model's preprocessing expects floats in [0, 1] and "
            "normalizes them itself. Divide by the largest value its depth allows (255 or 65535), or pass integers."
        )
    return Pixels(values.astype(np.float32) * np.float32(255), 8)
