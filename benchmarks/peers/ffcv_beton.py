"""FFCV: one file of raw or JPEG images at most 500 pixels long, compiled pipelines in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ffcv.fields import IntField, RGBImageField
from ffcv.fields.decoders import IntDecoder, RandomResizedCropRGBImageDecoder, SimpleRGBImageDecoder
from ffcv.loader import Loader, OrderOption
from ffcv.transforms import NormalizeImage, RandomHorizontalFlip, RandomTranslate, Squeeze, ToTensor, ToTorchImage
from ffcv.writer import DatasetWriter
from PIL import Image

from benchmarks.jobs import BY_NAME, CROP_PADDING, WORKERS
from benchmarks.peers import files

SIDE, QUALITY = 500, 90
"""What FFCV's ImageNet configurations write."""


class _Photographs:
    def __init__(self, folder: Path) -> None:
        self.images = files.labelled(folder)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> tuple[Any, int]:
        path, label = self.images[i]
        return Image.open(path).convert("RGB"), label


class _Cifar(_Photographs):
    def __init__(self, folder: Path) -> None:
        with np.load(folder / "cifar10.npz") as arrays:
            self.images = list(zip(arrays["images"], arrays["labels"].tolist(), strict=True))

    def __getitem__(self, i: int) -> tuple[Any, int]:
        return self.images[i]


def prepare(folder: Path, work: Path, *, job: str, mode: str) -> None:
    """The job's images in FFCV's own format."""
    work.mkdir(parents=True, exist_ok=True)
    image = RGBImageField(write_mode=mode, max_resolution=None if job == "cifar10" else SIDE, jpeg_quality=QUALITY)
    writer = DatasetWriter(str(work / "images.beton"), {"image": image, "label": IntField()}, num_workers=WORKERS)
    writer.from_indexed_dataset(_Cifar(folder) if job == "cifar10" else _Photographs(folder))


def setup(folder: Path, work: Path, *, job: str, mode: str) -> Callable[[], Iterator[Any]]:
    """channels_last float32 batches, normalized by FFCV's table look-up on the CPU, the file in the page cache."""
    wanted = BY_NAME[job]
    mean, std = (255 * np.asarray(v) for v in (wanted.mean, wanted.std))
    normalize = [NormalizeImage(mean, std, np.float32), ToTensor(), ToTorchImage()]
    if job == "cifar10":
        opening = [SimpleRGBImageDecoder(), RandomHorizontalFlip(), RandomTranslate(CROP_PADDING, (0, 0, 0))]
    else:
        opening = [RandomResizedCropRGBImageDecoder((wanted.size, wanted.size)), RandomHorizontalFlip()]
    loader = Loader(
        str(work / "images.beton"), batch_size=wanted.batch_size, num_workers=WORKERS, order=OrderOption.RANDOM,
        os_cache=True, drop_last=True,
        pipelines={"image": [*opening, *normalize], "label": [IntDecoder(), ToTensor(), Squeeze()]},
    )  # fmt: skip
    return lambda: iter(loader)
