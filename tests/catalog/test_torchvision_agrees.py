"""torchvision reads the same files as the same arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sightline.indexing import index
from tests.catalog import cifar_files as files
from tests.sources import idx_bytes, picture, write_files, write_idx

datasets = pytest.importorskip("torchvision.datasets", reason="torchvision, the oracle, is not installed")


@pytest.mark.parametrize("kind", ["CIFAR10", "CIFAR100"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_python_batches(tmp_path: Path, kind: str, protocol: int) -> None:
    if kind == "CIFAR10":
        folder, made = "cifar-10-batches-py", files.ten_python(protocol)
    else:
        folder, made = "cifar-100-python", files.hundred_python()
    write_files(tmp_path / folder, made)
    published = getattr(datasets, kind)
    # Its checksums are those of the published files, which these are not.
    theirs = type("Theirs", (published,), {"_check_integrity": lambda self: True,
                                           "meta": {**published.meta, "md5": None}})  # fmt: skip
    samples = index(tmp_path / folder)
    for split in ("train", "test"):
        known = theirs(str(tmp_path), train=split == "train")
        ours = samples.take([i for i, s in enumerate(samples.column("split")) if s == split])
        reader = ours.reader()
        assert len(known) == len(ours)
        np.testing.assert_array_equal(known.data, [reader.pixels(i).values for i in range(len(ours))])
        if kind == "CIFAR10":
            assert [files.TEN[v] for v in known.targets] == [ours.classes.ids[v] for v in ours.labels]
        else:
            assert known.targets == ours.labels.tolist()


IMAGES = np.stack([picture(28, 28, 1, i) for i in range(5)])


def test_mnist(tmp_path: Path) -> None:
    labels = np.array([5, 0, 4, 1, 9], np.uint8)
    folder = write_idx(tmp_path / "MNIST" / "raw", IMAGES, labels, gz=False)
    write_idx(folder, IMAGES[:2], labels[:2], "t10k", gz=False)
    known, samples = datasets.MNIST(str(tmp_path)), index(tmp_path / "MNIST")
    np.testing.assert_array_equal(known.targets.numpy(), [int(samples.classes.ids[v]) for v in samples.labels[:5]])
    reader = samples.reader()
    np.testing.assert_array_equal(known.data.numpy(), [reader.pixels(i).values[:, :, 0] for i in range(5)])


def test_qmnist(tmp_path: Path) -> None:
    rows = np.arange(40, dtype=np.int32).reshape(5, 8) % 10
    folder = tmp_path / "QMNIST" / "raw"
    write_files(folder, {"qmnist-train-images-idx3-ubyte": idx_bytes(IMAGES),
                         "qmnist-train-labels-idx2-int": idx_bytes(rows)})  # fmt: skip
    known = datasets.QMNIST(str(tmp_path), what="train", compat=False)
    samples = index(folder)
    np.testing.assert_array_equal(known.targets.numpy()[:, 0], [int(samples.classes.ids[v]) for v in samples.labels])
    told = [g[0]["id"] for g in samples.column("groups")]
    assert told == [f"{hsf}-{writer}" for hsf, writer in known.targets.numpy()[:, 1:3].tolist()]
