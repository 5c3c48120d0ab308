"""JPEGs coded again without loss, so that any band of rows can be decoded alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


class NotRecodable(Exception):  # noqa: N818 - a verdict on a file, caught by whoever stores it as it is
    """A JPEG to be stored as it is; the message is the reason in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recoded:
    """A JPEG of the same coefficients with one restart interval for each MCU row."""

    payload: bytes
    """A complete JPEG; its first `offsets[0]` bytes are the header that `band` wants."""
    offsets: npt.NDArray[np.uint32]
    """Byte position in `payload` where the entropy-coded bytes of each MCU row begin, and last the payload's length."""


def recoded(data: bytes) -> Recoded:
    """The same image with optimized Huffman tables and one restart interval for each MCU row.

    All DCT coefficients stay equal, hence all pixels; metadata segments are kept, bytes after the end of the image are
    not. Releases Python's lock. Raises NotRecodable for anything but an undamaged baseline Huffman JPEG of 8 bits, 1 or
    3 components and one scan; MissingExtraError without the extra `pack`.
    """
    raise NotImplementedError
