"""timm's create_loader, with its prefetcher: uint8 batches from the workers, normalized in the main process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from timm.data import create_dataset, create_loader

from benchmarks.jobs import BY_NAME, RESIZE, WORKERS


def setup(folder: Path, work: Path, *, job: str) -> Callable[[], Iterator[Any]]:
    """Training or evaluation batches of a folder of class folders."""
    wanted = BY_NAME[job]
    is_training = job == "train"
    loader = create_loader(
        create_dataset("", str(folder)), input_size=(3, wanted.size, wanted.size), batch_size=wanted.batch_size,
        is_training=is_training, hflip=0.5, color_jitter=None, auto_augment=None,
        interpolation="bilinear" if is_training else "bicubic", crop_pct=wanted.size / RESIZE, mean=wanted.mean,
        std=wanted.std, num_workers=WORKERS, use_prefetcher=True, persistent_workers=True, pin_memory=False,
        device=torch.device("cpu"),
    )  # fmt: skip
    return lambda: iter(loader)
