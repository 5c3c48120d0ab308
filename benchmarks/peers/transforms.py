"""torchvision's transforms for the peers that leave transforms to the user: on Pillow images, or on tensors (v2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torchvision import transforms as v1
from torchvision.io import ImageReadMode, decode_image, read_file
from torchvision.transforms import v2

from benchmarks.jobs import CROP_PADDING, RESIZE, Job

Transform = Callable[[Any], Any]
BICUBIC, BILINEAR = v1.InterpolationMode.BICUBIC, v1.InterpolationMode.BILINEAR


def geometry(job: Job, module: Any) -> list[Transform]:
    """The job's transforms before normalization, out of torchvision.transforms or torchvision.transforms.v2."""
    if job.name == "eval":
        resize = module.Resize(RESIZE, interpolation=BICUBIC, antialias=True)
        return [resize, module.CenterCrop(job.size)]
    if job.name == "cifar10":
        return [module.RandomCrop(job.size, padding=CROP_PADDING), module.RandomHorizontalFlip()]
    crop = module.RandomResizedCrop(job.size, interpolation=BILINEAR, antialias=True)
    return [crop, module.RandomHorizontalFlip()]


def of_pillow(job: Job) -> Transform:
    """Pillow image to normalized float32 channels × height × width."""
    return v1.Compose([*geometry(job, v1), v1.ToTensor(), v1.Normalize(job.mean, job.std)])


def of_tensor(job: Job) -> Transform:
    """uint8 tensor (channels × height × width) to a normalized float32 one."""
    return v2.Compose([*geometry(job, v2), v2.ToDtype(torch.float32, scale=True), v2.Normalize(job.mean, job.std)])


def of_bytes(job: Job) -> Transform:
    """Encoded bytes to normalized float32: decode_image and v2, the faster of torchvision's two ways."""
    transform = of_tensor(job)

    def transformed(payload: bytes) -> Any:
        # A bytearray is writable, which torch asks for; the copy takes some microseconds.
        data = torch.frombuffer(bytearray(payload), dtype=torch.uint8)
        return transform(decode_image(data, ImageReadMode.RGB))

    return transformed


def read_tensor(path: str) -> torch.Tensor:
    """uint8 tensor of an image file, the way torchvision's documentation reads them for v2."""
    return decode_image(read_file(path), ImageReadMode.RGB)
