"""webdataset: tar shards, a shuffle buffer, batches made in the workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import webdataset as wds

from benchmarks.jobs import BY_NAME, WORKERS
from benchmarks.peers import files, transforms

BUFFER = 1000
"""Samples in the shuffle buffer of each worker, the customary number."""


def prepare(folder: Path, work: Path, **_: Any) -> None:
    """Tar shards with KEY.jpg and KEY.cls."""
    work.mkdir(parents=True, exist_ok=True)
    for shard, images in enumerate(files.shards(folder)):
        with wds.TarWriter(str(work / f"shard-{shard:05d}.tar")) as sink:
            for i, (path, label) in enumerate(images):
                sink.write({"__key__": f"{shard:05d}{i:06d}", "jpg": path.read_bytes(), "cls": label})


def setup(folder: Path, work: Path, *, job: str) -> Callable[[], Iterator[Any]]:
    """Batches from the shards, two workers."""
    wanted = BY_NAME[job]
    shards = sorted(str(p) for p in work.glob("*.tar"))
    dataset = (
        wds.WebDataset(shards, shardshuffle=len(shards))
        .shuffle(BUFFER)
        .to_tuple("jpg", "cls")
        .map_tuple(transforms.of_bytes(wanted), lambda label: int(label))
        .batched(wanted.batch_size, partial=False, collation_fn=_collated)
    )
    loader = wds.WebLoader(dataset, batch_size=None, num_workers=WORKERS, persistent_workers=True)
    return lambda: iter(loader)


def _collated(samples: list[tuple[Any, int]]) -> tuple[Any, Any]:
    return torch.stack([image for image, _ in samples]), torch.tensor([label for _, label in samples])
