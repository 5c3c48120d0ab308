"""Downsampled ImageNet: rows of planes, and labels that count from 1 in the development kit's order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.catalog.label_maps import label_space
from sightline.errors import DataError
from sightline.indexing import index

DEVKIT, WNIDS = label_space("imagenet-1k/devkit"), label_space("imagenet-1k")


def rows(n: int, side: int = 8, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (n, 3 * side * side), dtype=np.uint8)


def published(folder: Path, save: Callable[..., None] = np.savez) -> Path:
    """Eleven batches, so that the tenth does not come second, and val."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(1, 12):
        save(folder / f"train_data_batch_{i}.npz", data=rows(2, seed=i), labels=np.array([i, 1000]), mean=np.zeros(192))
    save(folder / "val_data.npz", data=rows(3, seed=99), labels=np.array([490, 361, 171], np.int64))
    return folder


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_labels_are_the_kits_numbers(tmp_path: Path, save: Callable[..., None]) -> None:
    samples = index(published(tmp_path, save))
    assert samples.name == "imagenet-downsampled"
    assert samples.classes.ids == WNIDS
    assert samples.labels[-3:].tolist() == [65, 970, 230]
    assert [samples.classes.ids[i] for i in samples.labels[:22:2]] == list(DEVKIT[:11])
    assert samples.column("key")[0] == "train/0000000"
    assert samples.column("key")[-1] == "val/0000002"
    reader = samples.reader()
    assert np.array_equal(reader.pixels(20).values, rows(2, seed=11)[0].reshape(3, 8, 8).transpose(1, 2, 0))
    assert np.array_equal(reader.pixels(24).values, rows(3, seed=99)[2].reshape(3, 8, 8).transpose(1, 2, 0))


def test_one_file_alone(tmp_path: Path) -> None:
    assert len(index(published(tmp_path) / "val_data.npz")) == 3


@pytest.mark.parametrize(("arrays", "message"), [
    ({"data": rows(2), "labels": np.array([0, 999])}, "labels that are not 1 … 1000"),
    ({"data": rows(2), "labels": np.array([1])}, "2 × 192 values of type uint8 and 1 labels"),
    ({"data": rows(2)[:, :100], "labels": np.array([1, 2])}, "2 × 100 values"),
    ({"data": rows(2).astype(float), "labels": np.array([1, 2])}, "type float64"),
    ({"data": np.asfortranarray(rows(2)), "labels": np.array([1, 2])}, "Fortran order"),
    ({"data": rows(2), "labels": np.array([None, 1])}, "Python objects"),
    ({"data": rows(2), "labels": np.array([[1, 2]])}, r"labels of shape \(1, 2\)"),
    ({"data": rows(2)}, "no batch of downsampled ImageNet"),
], ids=["zero based", "count", "width", "type", "order", "objects", "shape", "no labels"])  # fmt: skip
def test_other_arrays(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "val_data.npz", **arrays)
    with pytest.raises(DataError, match=message):
        index(tmp_path)


def test_damaged_files(tmp_path: Path) -> None:
    file = published(tmp_path) / "val_data.npz"
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(DataError, match="damaged"):
        index(tmp_path)


def test_a_missing_batch_and_mixed_sizes(tmp_path: Path) -> None:
    (published(tmp_path) / "train_data_batch_3.npz").unlink()
    with pytest.raises(DataError, match="numbered from 1 without a gap"):
        index(tmp_path)
    np.savez(tmp_path / "train_data_batch_3.npz", data=rows(2, 16), labels=np.array([1, 2]))
    with pytest.raises(DataError, match=r"images of 2 sizes \(\[8, 16\]\)"):
        index(tmp_path)
