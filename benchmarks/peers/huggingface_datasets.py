"""Hugging Face datasets: Parquet with the images' bytes, with_transform, torch's DataLoader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import torch
from torch.utils.data import DataLoader

from benchmarks.jobs import BY_NAME, WORKERS
from benchmarks.peers import files, transforms

ROWS = 100
"""Rows of a group, as the hub writes images."""


def prepare(folder: Path, work: Path, **_: Any) -> None:
    """One Parquet file of image bytes and labels, as on the hub."""
    work.mkdir(parents=True, exist_ok=True)
    images = [{"image": {"bytes": p.read_bytes(), "path": p.name}, "label": label} for p, label in files.mixed(folder)]
    features = datasets.Features({"image": datasets.Image(decode=False), "label": datasets.Value("int64")})
    table = datasets.Dataset.from_list(images, features=features)
    table.to_parquet(str(work / "photographs.parquet"), batch_size=ROWS)


def setup(folder: Path, work: Path, *, job: str) -> Callable[[], Iterator[Any]]:
    """Batches of the file's rows, two workers; a batch's rows are fetched in one call, as datasets offers."""
    transform = transforms.of_bytes(BY_NAME[job])

    def transformed(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return {"image": [transform(image["bytes"]) for image in rows["image"]], "label": rows["label"]}

    table = datasets.load_dataset(
        "parquet", data_files=str(work / "photographs.parquet"), split="train", cache_dir=str(work / "cache")
    ).with_transform(transformed)
    loader = DataLoader(
        table, batch_size=BY_NAME[job].batch_size, shuffle=True, drop_last=True, num_workers=WORKERS,
        persistent_workers=True, collate_fn=_collated,
    )  # fmt: skip
    return lambda: iter(loader)


def _collated(rows: list[dict[str, Any]]) -> tuple[Any, Any]:
    return torch.stack([row["image"] for row in rows]), torch.tensor([row["label"] for row in rows])
