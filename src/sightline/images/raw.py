"""Pixels that are stored as they are: layouts of arrays, written as `TYPE[:ORDER]:SHAPE`.

| layout | means |
|---|---|
| `u1:28,28` · `u1:32,32,3` | bytes, height × width (× channels) |
| `u1:chw:3,32,32` | one plane after the other |
| `u1:bgr:3,32,32` | planes in the order blue, green, red |
| `u1:wh:28,28` | width × height: rows and columns exchanged |
| `u1/16:8,8` | 0 … 16, stretched to 0 … 255 (invertible) |
| `u2le:512,512` · `u2be:512,512` | 16-bit grey, little or big end first |
| `b1:28,28` | truth values, 0 or 1, shown as 0 and 255 |
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sightline.errors import DataError, DecodeError
from sightline.images.decoding import Pixels

_TYPES: dict[str, npt.DTypeLike] = {"u1": np.uint8, "u1/16": np.uint8, "b1": np.uint8, "u2le": "<u2", "u2be": ">u2"}


def pixels_of_raw(payload: bytes, layout: str) -> Pixels:
    """Pixels of a payload in a layout. Raises DecodeError when its length is another, DataError for unknown layouts."""
    kind, *order, shape = layout.split(":")
    if kind not in _TYPES or order not in ([], ["chw"], ["bgr"], ["wh"]):
        raise DataError(f"Unknown raw layout {layout!r} in the sample table; it was made by another version.")
    dims = [int(n) for n in shape.split(",")]
    dtype = np.dtype(_TYPES[kind])
    wanted = int(np.prod(dims)) * dtype.itemsize
    if len(payload) != wanted:
        raise DecodeError(f"{len(payload):,} bytes, wanted {wanted:,} for {' × '.join(map(str, dims))}")
    values = np.frombuffer(payload, dtype).reshape(dims)
    if order == ["wh"]:
        values = np.ascontiguousarray(values.swapaxes(0, 1))
    elif order:
        values = values[::-1] if order == ["bgr"] else values
        values = np.ascontiguousarray(values.transpose(1, 2, 0))
    if kind == "u1/16":
        values = ((values.astype(np.uint16) * 255 + 8) // 16).astype(np.uint8)
    elif kind == "b1":
        values = (values != 0).astype(np.uint8) * np.uint8(255)
    elif kind.startswith("u2"):
        values = values.astype(np.uint16)
    return Pixels(values[:, :, None] if values.ndim == 2 else values, 16 if kind.startswith("u2") else 8)
