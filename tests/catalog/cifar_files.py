"""Miniatures of CIFAR as its authors publish it: all forms from the same arrays."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.formats.pickles import python2
from tests.sources import write_files

PER_FILE = 3
TEN = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FILES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]


def planes(n: int, seed: int) -> np.ndarray[Any, Any]:
    """Random pixels as CIFAR stores them: N × 3072."""
    return np.random.default_rng(seed).integers(0, 256, (n, 3072), dtype=np.uint8)


def pixels(row: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What an image of CIFAR shows."""
    return row.reshape(3, 32, 32).transpose(1, 2, 0)


def ten() -> dict[str, tuple[np.ndarray[Any, Any], list[int]]]:
    """File stem → pixels and labels."""
    return {f: (planes(PER_FILE, i), [(i + k) % 10 for k in range(PER_FILE)]) for i, f in enumerate(FILES)}


def hundred() -> dict[str, tuple[np.ndarray[Any, Any], list[int], list[int]]]:
    """Split → pixels, fine and coarse labels."""
    return {"train": (planes(5, 1), [19, 29, 0, 99, 1], [11, 15, 4, 13, 1]), "test": (planes(2, 2), [49, 33], [10, 10])}


def ten_binary() -> dict[str, bytes]:
    records = {f"{f}.bin": b"".join(bytes([label]) + row.tobytes() for label, row in zip(labels, data, strict=True))
               for f, (data, labels) in ten().items()}  # fmt: skip
    return {**records, "batches.meta.txt": ("\n".join(TEN) + "\n\n").encode(), "readme.html": b"<html>"}


def ten_python(protocol: int = 2) -> dict[str, bytes]:
    def written(pairs: dict[str, Any]) -> bytes:
        return python2(pairs) if protocol == 2 else pickle.dumps(pairs, protocol)

    batches = {f: written({"batch_label": f, "labels": labels, "data": data,
                           "filenames": [f"noun_s_{i:06d}.png" for i in range(len(labels))]})
               for f, (data, labels) in ten().items()}  # fmt: skip
    return {**batches, "batches.meta": written({"label_names": list(TEN), "num_vis": 3})}


def hundred_binary() -> dict[str, bytes]:
    return {
        f"{split}.bin": b"".join(bytes([c, f]) + row.tobytes() for row, f, c in zip(data, fine, coarse, strict=True))
        for split, (data, fine, coarse) in hundred().items()
    }


def hundred_python() -> dict[str, bytes]:
    batches = {split: python2({"data": data, "fine_labels": fine, "coarse_labels": coarse})
               for split, (data, fine, coarse) in hundred().items()}  # fmt: skip
    return {**batches, "meta": python2({"fine_label_names": []})}


def packed(file: Path, folder: str, files: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> Path:
    """A tar (`.tar` or `.tar.gz`) of one folder, and its path; `links` are name → target."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        info = tarfile.TarInfo(folder)
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
        for name, data in files.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(stream.getvalue()) if file.suffix == ".gz" else stream.getvalue())
    return file


def unpacked(folder: Path, files: Mapping[str, bytes]) -> Path:
    return write_files(folder, files)
