"""Byte ranges of files that stay open: what tar, zip, TFRecord and other archives come down to."""

from __future__ import annotations

import os
import stat
import threading
import weakref
from pathlib import Path

from sightline.errors import DecodeError

MAX_OPEN = 512
"""Files kept open; others are opened for each read, because a process may have 1,024 files."""


def whole_file(path: Path) -> bytes:
    """Bytes of a file. Raises OSError; DecodeError for a device or a pipe, to which a link may lead: it has no end."""
    with open(path, "rb", opener=_opened_at_once) as f:
        if stat.S_ISCHR(mode := os.fstat(f.fileno()).st_mode) or stat.S_ISFIFO(mode):
            raise DecodeError("not a file but a device or a pipe")
        return f.read()


def _opened_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe would be waited for


class Ranges:
    """Byte ranges of files; safe to share between threads, which read at places of their own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, int] = {}
        self._closing = weakref.finalize(self, _close, self._files)

    def read(self, path: str, start: int, stop: int) -> bytes:
        """Bytes `start` … `stop` - 1 of a file. Raises DecodeError when it ends before, OSError."""
        file = self._files.get(path)
        if file is None:
            file = self._open(path)
        if file is None:
            with Path(path).open("rb", buffering=0) as f:
                data = os.pread(f.fileno(), stop - start, start)
        else:
            data = os.pread(file, stop - start, start)
        if len(data) != stop - start:
            raise DecodeError(f"the file ends before byte {stop:,}")
        return data

    def _open(self, path: str) -> int | None:
        with self._lock:
            if path not in self._files and len(self._files) < MAX_OPEN:
                self._files[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            return self._files.get(path)


def _close(files: dict[str, int]) -> None:
    for file in files.values():
        os.close(file)
