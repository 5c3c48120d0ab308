"""grain: a MapDataset of paths, decoded and transformed in grain's reading threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grain
import numpy as np
import torch

from benchmarks.jobs import BY_NAME, WORKERS
from benchmarks.peers import files, transforms


def setup(folder: Path, work: Path, *, job: str) -> Callable[[], Iterator[Any]]:
    """numpy batches (channels × height × width), two threads; its processes are slower on epochs as short as these."""
    torch.set_num_threads(1)  # grain's threads are the parallelism
    transform = transforms.of_tensor(BY_NAME[job])

    def read(item: tuple[str, int]) -> tuple[Any, Any]:
        return transform(transforms.read_tensor(item[0])).numpy(), np.int64(item[1])

    source = [(str(path), label) for path, label in files.labelled(folder)]
    options = grain.ReadOptions(num_threads=WORKERS, prefetch_buffer_size=2 * BY_NAME[job].batch_size)
    counter = iter(range(1 << 30))

    def epoch() -> Iterator[Any]:
        dataset = grain.MapDataset.source(source).seed(next(counter)).shuffle().map(read)
        return iter(dataset.to_iter_dataset(options).batch(BY_NAME[job].batch_size, drop_remainder=True))

    return epoch
