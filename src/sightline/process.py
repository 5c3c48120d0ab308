"""What fitting sets for its process: memory that is kept, kernels that repeat, and a random state that is put back."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch

SMALL_BATCH_PIXELS = 1 << 15
"""Below it (512 images of 8 × 8) one thread computes: handing so little out costs more than it saves, ten times as
much while another program uses the cores (0.31 s against 3.0 s for nine updates on 16 such images)."""
_MALLOPT = ((-3, 1 << 30), (-1, (1 << 31) - 1), (-2, 1 << 28))
"""glibc: M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD."""


@contextmanager
def prepared(device: torch.device) -> Iterator[None]:
    """The process set up for training: deterministic kernels, memory kept; random state and threads put back after."""
    if device.type == "cpu":
        keep_freed_memory()
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before
        torch.set_num_threads(threads)


def choose_threads(batch_pixels: int) -> None:
    """Let one thread compute when a batch has few pixels; a rule, not a trial, so that equal runs have equal bits."""
    if batch_pixels < SMALL_BATCH_PIXELS:
        torch.set_num_threads(1)


def keep_freed_memory() -> bool:
    """Whether glibc now keeps freed memory instead of handing it back to the system; for the rest of the process.

    Activations are allocated and freed at every step. By default each of that size is mapped afresh, and the kernel
    zeroes it page by page at first touch. Five updates of cifar10.fast: 230,000 to 280,000 page faults and 0.5 to
    0.7 s of system time without it, at most 7,000 and 0.01 s with it.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return all(libc.mallopt(key, value) == 1 for key, value in _MALLOPT)
