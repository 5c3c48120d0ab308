"""NVIDIA DALI on the CPU: fused decode-and-crop, resize, crop_mirror_normalize."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from nvidia.dali import fn, pipeline_def, types

from benchmarks.jobs import BY_NAME, WORKERS, Job
from benchmarks.peers import files


@pipeline_def
def training(folder: str, job: Job) -> Any:
    """The pipeline of DALI's own ImageNet examples, all operators on the CPU."""
    encoded, labels = fn.readers.file(file_root=folder, random_shuffle=True, name="reader")
    images = fn.decoders.image_random_crop(
        encoded, device="cpu", output_type=types.RGB, random_aspect_ratio=[3 / 4, 4 / 3], random_area=[0.08, 1.0],
        num_attempts=10,
    )  # fmt: skip
    images = fn.resize(
        images, device="cpu", resize_x=job.size, resize_y=job.size, interp_type=types.INTERP_LINEAR, antialias=True
    )
    normalized = fn.crop_mirror_normalize(
        images, device="cpu", dtype=types.FLOAT, output_layout="CHW", crop=(job.size, job.size),
        mean=[255 * m for m in job.mean], std=[255 * s for s in job.std], mirror=fn.random.coin_flip(probability=0.5),
    )  # fmt: skip
    return normalized, labels


def setup(folder: Path, work: Path, *, job: str) -> Callable[[], Iterator[Any]]:
    """Batches as views of DALI's own memory, two threads, its default prefetching of two batches."""
    wanted = BY_NAME[job]
    pipeline = training(str(folder), wanted, batch_size=wanted.batch_size, num_threads=WORKERS, device_id=None)
    pipeline.build()
    steps = len(files.labelled(folder)) // wanted.batch_size

    def epoch() -> Iterator[Any]:
        for _ in range(steps):
            images, labels = pipeline.run()
            yield np.asarray(images.as_tensor()), np.asarray(labels.as_tensor())

    return epoch
