"""What training sets for its process: device, allocator, kernels, random state, and what a signal means."""

from __future__ import annotations

import ctypes
import platform
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import torch

_MALLOPT = ((-3, 1 << 30), (-1, (1 << 31) - 1), (-2, 1 << 28))
"""glibc: M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD."""


@contextmanager
def prepared(device: torch.device) -> Iterator[None]:
    """The process set up for training: deterministic kernels, memory kept, torch's random state put back at the end."""
    if device.type == "cpu":
        keep_freed_memory()
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


def keep_freed_memory() -> bool:
    """Whether glibc now keeps freed memory instead of handing it back to the system; for the rest of the process.

    Activations are allocated and freed at every step. By default each of that size is mapped afresh, and the kernel
    zeroes it page by page at first touch, which costs more than a small network's arithmetic.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return all(libc.mallopt(key, value) == 1 for key, value in _MALLOPT)


class Interruption:
    """Turns the first SIGINT or SIGTERM into a wish to stop after the update; a second one acts at once.

    Outside the main thread signals are left alone.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._before = {s: signal.signal(s, self._note) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        for s, handler in self._before.items():
            signal.signal(s, handler)  # type: ignore[arg-type]

    @property
    def is_wished(self) -> bool:
        """Whether a signal has arrived."""
        return self.signal is not None

    def leave(self) -> None:
        """Leave the training the way the signal asks: KeyboardInterrupt, or exit code 143 for SIGTERM."""
        if self.signal == signal.SIGTERM:
            raise SystemExit(128 + signal.SIGTERM)
        raise KeyboardInterrupt
