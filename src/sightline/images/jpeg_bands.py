"""A band of rows of a recoded JPEG as a small JPEG of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt


def band(
    read: Callable[[int, int], bytes], header: bytes, offsets: npt.NDArray[np.uint32], top: int, bottom: int
) -> tuple[bytes, int]:
    """A complete JPEG that holds rows `top` … `bottom` - 1, and the row of the image that its first row is.

    Those rows decode to the very pixels they have in the whole image; rows around them may differ from it. `header`
    is the payload's first `offsets[0]` bytes, `offsets` as `recoded` gave them, and `read(start, stop)` returns these
    bytes of the payload; it is called once. Raises DecodeError where the bytes do not fit the offsets, ValueError for
    rows that the image has not.
    """
    raise NotImplementedError
