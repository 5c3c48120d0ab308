"""MosaicML streaming: MDS shards, read by StreamingDataset under torch's DataLoader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from streaming import MDSWriter, StreamingDataset
from streaming.base.util import clean_stale_shared_memory
from torch.utils.data import DataLoader

from benchmarks.jobs import BY_NAME, WORKERS
from benchmarks.peers import files, transforms


def prepare(folder: Path, work: Path, **_: Any) -> None:
    """MDS shards of the files' bytes, of the size that the writer chooses (64 MB)."""
    with MDSWriter(out=str(work / "mds"), columns={"image": "bytes", "label": "int"}) as out:
        for path, label in files.mixed(folder):
            out.write({"image": path.read_bytes(), "label": label})


class Photographs(StreamingDataset):
    """Decoded and transformed when an item is taken."""

    transform: transforms.Transform

    def __getitem__(self, at: Any) -> tuple[Any, int]:
        item = super().__getitem__(at)
        return self.transform(item["image"]), item["label"]


def setup(folder: Path, work: Path, *, job: str) -> Callable[[], Iterator[Any]]:
    """Batches from local shards, two workers."""
    clean_stale_shared_memory()
    size = BY_NAME[job].batch_size
    dataset = Photographs(local=str(work / "mds"), shuffle=True, batch_size=size)
    dataset.transform = transforms.of_bytes(BY_NAME[job])
    loader = DataLoader(dataset, batch_size=size, num_workers=WORKERS, persistent_workers=True, drop_last=True)
    return lambda: iter(loader)
