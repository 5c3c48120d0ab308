"""litdata: chunks written by optimize, read by StreamingDataset and StreamingDataLoader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from litdata import StreamingDataLoader, StreamingDataset, optimize

from benchmarks.jobs import BY_NAME, WORKERS
from benchmarks.peers import files, transforms


def read(item: tuple[Path, int]) -> dict[str, Any]:
    """What is stored for one image: the file's bytes, untouched, and its class."""
    return {"image": item[0].read_bytes(), "label": item[1]}


def prepare(folder: Path, work: Path, **_: Any) -> None:
    """Chunks of 64 MB, as litdata's documentation has them."""
    optimize(read, files.mixed(folder), str(work / "chunks"), chunk_bytes="64MB", num_workers=1, mode="overwrite")


def setup(folder: Path, work: Path, *, job: str) -> Callable[[], Iterator[Any]]:
    """Batches from local chunks, two workers."""
    transform = transforms.of_bytes(BY_NAME[job])

    def transformed(item: dict[str, Any]) -> tuple[Any, int]:
        return transform(item["image"]), item["label"]

    dataset = StreamingDataset(str(work / "chunks"), shuffle=True, drop_last=True, transform=transformed)
    loader = StreamingDataLoader(
        dataset, batch_size=BY_NAME[job].batch_size, num_workers=WORKERS, persistent_workers=True, drop_last=True
    )
    return lambda: iter(loader)
