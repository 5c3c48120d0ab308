"""torch's DataLoader with torchvision: ImageFolder for photographs, arrays in memory for CIFAR-10."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.datasets import ImageFolder
from torchvision.datasets.folder import default_loader

from benchmarks.jobs import BY_NAME, CIFAR10, EVAL, Job
from benchmarks.peers import transforms


class Cifar(Dataset[tuple[Any, int]]):
    """What torchvision.datasets.CIFAR10 does: uint8 arrays in memory, a Pillow image (or tensor) for each item."""

    def __init__(self, file: Path, transform: transforms.Transform, is_tensor: bool) -> None:
        with np.load(file) as arrays:
            self.images, self.labels = arrays["images"], arrays["labels"].tolist()
        self.transform, self.is_tensor = transform, is_tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Any, int]:
        array = self.images[i]
        image = torch.from_numpy(array).permute(2, 0, 1) if self.is_tensor else Image.fromarray(array)
        return self.transform(image), self.labels[i]


def setup(folder: Path, work: Path, *, job: str, workers: int, pixels: str) -> Callable[[], Iterator[Any]]:
    """`pixels`: pillow (transforms v1, the customary way) or tensor (decode_image and transforms v2)."""
    return epochs_of(dataset_of(folder, BY_NAME[job], pixels == "tensor"), BY_NAME[job], workers)


def dataset_of(folder: Path, job: Job, is_tensor: bool) -> Dataset[Any]:
    """The job's dataset, giving normalized float32 tensors."""
    transform = transforms.of_tensor(job) if is_tensor else transforms.of_pillow(job)
    if job is CIFAR10:
        return Cifar(folder / "cifar10.npz", transform, is_tensor)
    return ImageFolder(str(folder), transform, loader=transforms.read_tensor if is_tensor else default_loader)


def epochs_of(dataset: Dataset[Any], job: Job, workers: int) -> Callable[[], Iterator[Any]]:
    """Batches of a map-style dataset; the workers stay alive between epochs."""
    is_training = job is not EVAL
    loader = DataLoader(
        dataset, batch_size=job.batch_size, shuffle=is_training, drop_last=is_training, num_workers=workers,
        persistent_workers=workers > 0,
    )  # fmt: skip
    return lambda: iter(loader)
