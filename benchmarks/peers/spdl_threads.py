"""SPDL: FFmpeg decodes, crops, mirrors and scales in two threads of SPDL's pipeline."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import spdl.io
from spdl.pipeline import PipelineBuilder

from benchmarks.jobs import BY_NAME, WORKERS, Job
from benchmarks.peers import files


def filters(width: int, height: int, size: int, rng: random.Random) -> str:
    """FFmpeg's filter graph for one random resized crop and flip."""
    for _ in range(10):
        area = width * height * rng.uniform(0.08, 1.0)
        ratio = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = rng.randint(0, width - w), rng.randint(0, height - h)
            break
    else:
        w = h = min(width, height)
        left, top = (width - w) // 2, (height - h) // 2
    flip = ",hflip" if rng.random() < 0.5 else ""
    return f"crop={w}:{h}:{left}:{top}:exact=1,scale={size}:{size}:flags=bilinear{flip},format=pix_fmts=rgb24"


def setup(folder: Path, work: Path, *, job: str) -> Callable[[], Iterator[Any]]:
    """Batches decoded by two threads and normalized by numpy; SPDL's own place for that is the GPU."""
    wanted = BY_NAME[job]
    images = files.labelled(folder)
    rng = random.Random(0)
    scale = np.float32(1) / (np.float32(255) * np.asarray(wanted.std, np.float32))
    shift = np.asarray(wanted.mean, np.float32) / np.asarray(wanted.std, np.float32)

    def decode(item: tuple[Path, int]) -> tuple[Any, int]:
        packets = spdl.io.demux_image(str(item[0]))
        codec = packets.codec
        frames = spdl.io.decode_packets(packets, filter_desc=filters(codec.width, codec.height, wanted.size, rng))
        return frames, item[1]

    def batch(items: list[tuple[Any, int]]) -> tuple[Any, Any]:
        levels = spdl.io.to_numpy(spdl.io.convert_frames([frames for frames, _ in items]))
        values = np.multiply(levels, scale, dtype=np.float32)
        values -= shift
        return values.transpose(0, 3, 1, 2), np.asarray([label for _, label in items])

    return lambda: _epoch(images, wanted, decode, batch, rng)


def _epoch(
    images: list[tuple[Path, int]], job: Job, decode: Callable[..., Any], batch: Callable[..., Any], rng: random.Random
) -> Iterator[Any]:
    order = rng.sample(images, len(images))
    pipeline = (
        PipelineBuilder()
        .add_source(order)
        .pipe(decode, concurrency=WORKERS)
        .aggregate(job.batch_size, drop_last=True)
        .pipe(batch)
        .add_sink(2)
        .build(num_threads=WORKERS)
    )
    with pipeline.auto_stop():
        yield from pipeline
