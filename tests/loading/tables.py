"""Small sample tables for the tests of loading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from sightline.images import sniff
from sightline.samples import Classes, SampleTable, sample_id_of, table_from_rows

CLASSES = Classes(("a", "b", "c"), ("a", "b", "c"))


def row(key: str, image: dict[str, Any], label: int | None) -> dict[str, Any]:
    return {
        "sample_id": sample_id_of("", key), "key": key, "dataset": "", "group_id": key, "status": "ok", "label": label,
        "image": {"root": "data", **image},
    }  # fmt: skip


def table_of_arrays(
    folder: Path, images: np.ndarray[Any, Any], labels: Sequence[int | None] | None = None
) -> SampleTable:
    """Raw uint8 images (n × height × width × channels) in one file."""
    n, height, width, channels = images.shape
    length = height * width * channels
    (folder / "images.bin").write_bytes(np.ascontiguousarray(images).tobytes())
    labels = [i % 3 for i in range(n)] if labels is None else labels
    rows = [
        row(str(i), {
            "path": "images.bin", "container": "idx", "offset": i * length, "length": length, "codec": "raw",
            "layout": f"u1:{height},{width},{channels}", "width": width, "height": height, "bits": 8,
        }, labels[i]) for i in range(n)
    ]  # fmt: skip
    return SampleTable(table_from_rows(rows), CLASSES, "arrays", {"data": str(folder)})


def table_of_files(
    folder: Path, names: Sequence[str], labels: Sequence[int | None] | None = None, *, is_sized: bool = True
) -> SampleTable:
    """Files below `folder`, by name; with what their headers say, or without as in a table that somebody else made."""
    labels = [i % 3 for i in range(len(names))] if labels is None else labels
    images = [{"path": name, "container": "file", "bits": 8} for name in names]
    if is_sized:
        headers = [sniff((folder / name).read_bytes()) for name in names]
        images = [image | asdict(header) for image, header in zip(images, headers, strict=True)]
    rows = [row(*facts) for facts in zip(names, images, labels, strict=True)]
    return SampleTable(table_from_rows(rows), CLASSES, "files", {"data": str(folder)})
