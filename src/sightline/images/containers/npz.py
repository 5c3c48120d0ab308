"""Arrays in compressed NPZ files: a member is unpacked once, and held in memory."""

from __future__ import annotations

import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import DecodeError
from sightline.images.containers import Reference
from sightline.images.parsing import ZIP_ERRORS

MAX_BYTES = 4 << 30
"""An array that grows beyond this is refused."""


class Npz:
    """Byte range `offset`, `length` of the unpacked `member` of a zip file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._contents: dict[tuple[str, str], np.ndarray[Any, Any]] = {}

    def payload(self, reference: Reference) -> bytes:
        """The range. Raises DecodeError when the member ends before it, or cannot be unpacked."""
        assert reference.member is not None
        start, length = reference.offset or 0, reference.length or 0
        key = (reference.path, reference.member)
        with self._lock:
            if key not in self._contents:
                self._contents[key] = _unpacked(*key)
            content = self._contents[key]
        data = content[start : start + length].tobytes()
        if len(data) != length:
            raise DecodeError(f"{reference.member} in {Path(reference.path).name} ends before byte {start + length:,}")
        return data


def _unpacked(path: str, member: str) -> np.ndarray[Any, Any]:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as f:
            if archive.getinfo(member).file_size > MAX_BYTES:
                raise DecodeError(f"{member} unpacks to more than {MAX_BYTES:,} bytes")
            return np.frombuffer(f.read(), np.uint8)  # never more than the size that was checked
    except ZIP_ERRORS as e:
        raise DecodeError(f"damaged NPZ file: {e}") from None
