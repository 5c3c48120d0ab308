"""Arrays of bytes that may be compressed as a whole: they are held in memory, or mapped where they are plain files."""

from __future__ import annotations

import gzip
import os
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import DecodeError
from sightline.images.containers import Reference

MAX_BYTES = 4 << 30
"""A compressed file that grows beyond this is refused."""


class ByteArrays:
    """Byte range `offset`, `length` of the uncompressed content of a file (`.gz` or plain)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._contents: dict[str, np.ndarray[Any, Any]] = {}

    def payload(self, reference: Reference) -> bytes:
        """The range. Raises DecodeError when the content ends before it, or cannot be unpacked."""
        start, length = reference.offset or 0, reference.length or 0
        with self._lock:
            if reference.path not in self._contents:
                self._contents[reference.path] = self._content(Path(reference.path))
            content = self._contents[reference.path]
        data = content[start : start + length].tobytes()
        if len(data) != length:
            raise DecodeError(f"{Path(reference.path).name} ends before byte {start + length}")
        return data

    def _content(self, path: Path) -> np.ndarray[Any, Any]:
        if path.suffix != ".gz":
            if os.path.getsize(path) == 0:
                raise DecodeError(f"{path.name} is empty")
            return np.memmap(path, np.uint8, "r")
        try:
            with gzip.open(path) as f:
                data = f.read(MAX_BYTES + 1)
        except (EOFError, gzip.BadGzipFile, zlib.error) as e:
            raise DecodeError(f"damaged gzip file: {e}") from None
        if len(data) > MAX_BYTES:
            raise DecodeError(f"{path.name} unpacks to more than {MAX_BYTES:,} bytes")
        return np.frombuffer(data, np.uint8)


class CsvArrays(ByteArrays):
    """Rows of a headerless CSV of small integers: one byte for each field, row after row."""

    def _content(self, path: Path) -> np.ndarray[Any, Any]:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as f:
            return np.loadtxt(f, delimiter=",", dtype=np.uint8).ravel()
