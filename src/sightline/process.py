"""What fitting sets for its process: memory that is kept, kernels that repeat, and a random state that is put back."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

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
