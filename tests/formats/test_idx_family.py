"""MNIST's relatives: writers from QMNIST's labels, EMNIST's turned images, its mapping and its six datasets."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.errors import DataError
from sightline.indexing import index
from tests.sources import idx_bytes, picture, write_idx

IMAGES = np.stack([picture(5, 4, 1, seed=i) for i in range(6)])
LABELS = np.array([3, 1, 3, 0, 1, 2], np.uint8)
ROWS = np.zeros((6, 8), np.int32)
ROWS[:, 0], ROWS[:, 1], ROWS[:, 2] = LABELS, [4, 4, 0, 0, 0, 4], [2437, 2437, 12, 12, 2437, 2500]
WRITERS = ["4-2437", "4-2437", "0-12", "0-12", "0-2437", "4-2500"]


def write_rows(folder: Path, split: str, rows: np.ndarray[Any, Any]) -> None:
    (folder / f"qmnist-{split}-labels-idx2-int.gz").write_bytes(gzip.compress(idx_bytes(rows)))


def test_writers_beside_mnist(tmp_path: Path) -> None:
    write_idx(tmp_path, IMAGES, LABELS)
    write_idx(tmp_path, IMAGES[:2], LABELS[:2], "t10k")
    before = index(tmp_path)
    assert before.column("groups") == [None] * 8
    write_rows(tmp_path, "train", ROWS)
    write_rows(tmp_path, "test", ROWS)  # QMNIST's test goes on where MNIST's ends
    samples = index(tmp_path)
    assert [g[0]["id"] for g in samples.column("groups")] == [*WRITERS, *WRITERS[:2]]
    assert samples.column("group_id")[2] == "writer:0-12"
    assert samples.column("sample_id") == before.column("sample_id")
    assert samples.notes == ("grouped by writer, as QMNIST names them",)
    np.testing.assert_array_equal(samples.reader().pixels(3).values[:, :, 0], IMAGES[3])


def test_writers_of_one_split_alone(tmp_path: Path) -> None:
    write_idx(tmp_path, IMAGES, LABELS)
    write_idx(tmp_path, IMAGES[:2], LABELS[:2], "t10k")
    write_rows(tmp_path, "train", ROWS)
    assert index(tmp_path).column("group_id")[-2:] == ["test/00000", "test/00001"]


def test_writers_of_other_digits_are_refused(tmp_path: Path) -> None:
    write_idx(tmp_path, IMAGES, LABELS)
    write_rows(tmp_path, "train", ROWS[::-1])
    with pytest.raises(DataError, match=r"qmnist-train-labels.* does not belong to the images"):
        index(tmp_path)
    write_rows(tmp_path, "train", ROWS[:3])
    with pytest.raises(DataError, match="does not belong to the images"):
        index(tmp_path)


def test_qmnist_itself(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write_idx(tmp_path, IMAGES, LABELS, f"qmnist-{split}")
        (tmp_path / f"qmnist-{split}-labels-idx1-ubyte.gz").unlink()
        write_rows(tmp_path, split, ROWS)
    samples = index(tmp_path)
    assert samples.column("key")[6] == "test/00000"
    assert [samples.classes.ids[v] for v in samples.labels[:6]] == [str(v) for v in LABELS]
    assert [g[0]["id"] for g in samples.column("groups")] == WRITERS * 2


@pytest.fixture
def emnist(tmp_path: Path) -> Path:
    for name, count in (("letters", 6), ("digits", 4)):
        for split in ("train", "test"):
            write_idx(tmp_path, IMAGES[:count], LABELS[:count], f"emnist-{name}-{split}")
    (tmp_path / "emnist-letters-mapping.txt").write_text("0 64 96\n1 65 97\n2 66 98\n3 67 99\n")
    return tmp_path


def test_one_of_six_datasets_is_taken_by_a_file(emnist: Path) -> None:
    with pytest.raises(DataError, match=r"emnist-digits-test, .* Give one of the files of images"):
        index(emnist)
    samples = index(emnist / "emnist-letters-train-images-idx3-ubyte.gz")
    assert samples.name == "emnist-letters"
    assert samples.column("split") == ["train"] * 6 + ["test"] * 6
    assert samples.classes.names == ("@/`", "A/a", "B/b", "C/c")
    assert samples.classes.ids == ("0", "1", "2", "3")
    assert len(index(emnist / "emnist-digits-test-images-idx3-ubyte.gz")) == 8


def test_emnist_is_read_upright(emnist: Path) -> None:
    samples = index(emnist / "emnist-letters-train-images-idx3-ubyte.gz")
    image = samples.column("image")[1]
    assert (image["height"], image["width"]) == (4, 5)
    np.testing.assert_array_equal(samples.reader().pixels(1).values[:, :, 0], IMAGES[1].T)


def test_a_mapping_of_something_else(emnist: Path) -> None:
    (emnist / "emnist-letters-mapping.txt").write_text("a b\n")
    with pytest.raises(DataError, match="no mapping of labels"):
        index(emnist / "emnist-letters-train-images-idx3-ubyte.gz")


def test_a_file_of_labels_is_no_source(emnist: Path) -> None:
    with pytest.raises(DataError, match="not a source"):
        index(emnist / "emnist-letters-train-labels-idx1-ubyte.gz")
