"""The arithmetic of predictions: plain float32 with repeatable kernels, and a record of what it ran on."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import torch

from sightline.distributed import World
from sightline.loading.resizing import engines

PACKAGES = ("sightline", "torch", "numpy")


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """float32 without TF32, autocast or kernels chosen by a race, while the block runs; then all as it was.

    What changes between two runs of one machine is then nothing. Between batch sizes, thread counts and machines the
    order of additions differs, and with it the last bits of a logit.
    """
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32, torch.get_float32_matmul_precision()
    cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32 = True, False, False
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast("cuda", enabled=False), torch.autocast("cpu", enabled=False), torch.inference_mode():
            yield
    finally:
        cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32 = before[:3]
        torch.set_float32_matmul_precision(before[3])


def environment(device: torch.device, world: World, *, exact_resize: bool) -> dict[str, Any]:
    """What the last bits of a logit may depend on besides weights and pixels; call it inside `exact_arithmetic`."""
    cudnn = torch.backends.cudnn
    return {
        **{name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": device.type,
        "accelerator": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "threads": torch.get_num_threads(),
        "processes": world.size,
        "dtype": "float32",
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "cudnn_allow_tf32": cudnn.allow_tf32,
        "cudnn_benchmark": cudnn.benchmark,
        "deterministic": cudnn.deterministic,
        "loading": engines(exact=exact_resize),
    }
