"""Images in HDF5 datasets that are compressed, or of variable length."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import DecodeError, extra_needed
from sightline.images.containers import Reference


class Hdf5:
    """Entry `row` of the dataset `member`, as the bytes that HDF5 unpacks it to.

    The library reads one thing at a time, whatever the number of threads, and its files do not live through a fork.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._files: dict[str, Any] = {}

    def payload(self, reference: Reference) -> bytes:
        """The bytes of one image. Raises DecodeError for a damaged file, and for one without that entry."""
        name = Path(reference.path).name
        with self._lock:
            if self._process != os.getpid():
                self._process, self._files = os.getpid(), {}
            try:
                if reference.path not in self._files:
                    self._files[reference.path] = _opened(reference.path)
                value = self._files[reference.path][reference.member][reference.row]
            except FileNotFoundError:
                raise
            except (OSError, KeyError, ValueError, TypeError, RuntimeError, IndexError) as e:
                raise DecodeError(f"{name}: {reference.member}, entry {reference.row}, cannot be read: {e}") from None
        return np.ascontiguousarray(value).tobytes()


def _opened(path: str) -> Any:
    try:
        import h5py
    except ModuleNotFoundError as e:
        raise extra_needed(e, "Reading HDF5") or e from None
    return h5py.File(path, "r")
