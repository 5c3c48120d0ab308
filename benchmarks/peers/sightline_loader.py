"""Sightline's Loader: untouched files, packed shards, decoded images kept, evaluation fast and exact, CIFAR-10."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import sightline as sl
from benchmarks.jobs import BY_NAME, CROP_PADDING, RESIZE, Job
from sightline.augmentation import Augmentation, PadCrop, RandomHorizontalFlip, RandomResizedCrop

BYTES = 4 << 30
"""The Loader's own default for decoded images."""


def prepare(folder: Path, work: Path, *, job: str, source: str = "files", **_: Any) -> None:
    """The packed shards, where they are asked for."""
    if source == "packed":
        sl.convert(sl.index(str(folder)), work, to="packed")


def setup(
    folder: Path, work: Path, *, job: str, source: str = "files", is_cached: bool = False, is_exact: bool = False
) -> Callable[[], Iterator[Any]]:
    """Batches with the default number of threads, one per core."""
    wanted = BY_NAME[job]
    if job == "cifar10":
        samples: Any = _training_rows(folder)
    else:
        samples = work if source == "packed" else sl.index(str(folder))
    loader = sl.Loader(
        samples, preprocessing=contract(wanted), augmentation=augmentation(wanted), batch_size=wanted.batch_size,
        cache_bytes=BYTES if is_cached else 0, exact=is_exact,
    )  # fmt: skip
    if job == "eval":
        return lambda: ((b.images_bchw, b.labels_b) for b in loader)
    counter = iter(range(1 << 30))
    return lambda: ((b.images_bchw, b.labels_b) for b in loader.epoch(next(counter)))


def contract(job: Job) -> sl.Preprocessing:
    """What torchvision does to the same images: EXIF orientation ignored, alpha dropped."""
    resize: dict[str, Any] = {"resize": "shortest", "resize_to": RESIZE}
    if job.name == "cifar10":
        resize = {"resize": "none", "crop": "none"}
    return sl.Preprocessing(
        size=(job.size, job.size), mean=job.mean, std=job.std, orientation="ignore", alpha="drop",
        interpolation="bicubic" if job.name == "eval" else "bilinear", **resize,
    )  # fmt: skip


def augmentation(job: Job) -> Augmentation | None:
    """The job's random transforms."""
    if job.name == "eval":
        return None
    if job.name == "cifar10":
        return Augmentation(transforms=(PadCrop(padding=CROP_PADDING, border="black"), RandomHorizontalFlip()))
    return Augmentation(transforms=(RandomResizedCrop(), RandomHorizontalFlip()))


def _training_rows(folder: Path) -> sl.SampleTable:
    """As many rows of the Parquet's train split as the peers' arrays hold."""
    samples = sl.index((folder / "source.txt").read_text())
    rows = np.flatnonzero(np.asarray(samples.column("split")) == "train")
    with np.load(folder / "cifar10.npz") as arrays:
        return samples.take(rows[: len(arrays["labels"])])
