"""IDX: values, order and damage."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import DataError
from sightline.formats import Attributes, Listing, idx
from sightline.indexing import index
from tests.sources import idx_bytes, picture, write_idx

IMAGES = np.stack([picture(5, 4, 1, seed=i) for i in range(6)])
LABELS = np.array([3, 1, 3, 0, 1, 2], np.uint8)


def read(folder: Path) -> Listing:
    assert idx.is_at(folder)
    return idx.read(folder, Attributes())


@pytest.mark.parametrize("gz", [True, False])
def test_pixels_and_labels_come_back(tmp_path: Path, gz: bool) -> None:
    write_idx(tmp_path, IMAGES, LABELS, gz=gz)
    samples = index(write_idx(tmp_path, IMAGES[:2], LABELS[:2], "t10k", gz=gz))
    assert samples.column("key") == [*(f"train/{i:05d}" for i in range(6)), "test/00000", "test/00001"]
    assert samples.column("split") == ["train"] * 6 + ["test"] * 2
    assert [samples.classes.ids[v] for v in samples.labels] == [str(v) for v in [*LABELS, *LABELS[:2]]]
    reader = samples.reader()
    for i, image in enumerate([*IMAGES, *IMAGES[:2]]):
        np.testing.assert_array_equal(reader.pixels(i).values[:, :, 0], image)


def test_colour_images_have_a_last_axis(tmp_path: Path) -> None:
    colour = np.stack([picture(5, 4, 3, seed=i) for i in range(4)])
    samples = index(write_idx(tmp_path, colour, LABELS[:4]))
    np.testing.assert_array_equal(samples.reader().pixels(2).values, colour[2])


@pytest.mark.parametrize("below", ["raw", "MNIST/raw"])
def test_the_folders_that_torchvision_makes(tmp_path: Path, below: str) -> None:
    write_idx(tmp_path / below, IMAGES, LABELS)
    assert len(read(tmp_path).keys) == 6


def test_wide_labels(tmp_path: Path) -> None:
    wide = np.array([300, 1, 300, 0, 1, 2], np.int32)
    assert read(write_idx(tmp_path, IMAGES, wide)).labels[0] == "300"


def test_the_plain_file_is_preferred_to_its_gzipped_twin(tmp_path: Path) -> None:
    write_idx(tmp_path, IMAGES, LABELS, gz=True)
    write_idx(tmp_path, IMAGES, LABELS, gz=False)
    assert set(read(tmp_path).images["path"]) == {"train-images-idx3-ubyte"}


def _replace(folder: Path, name: str, data: bytes) -> None:
    (folder / name).write_bytes(data)


IMAGE_FILE, LABEL_FILE = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (IMAGE_FILE, gzip.compress(idx_bytes(IMAGES))[:-30], "damaged gzip"),
        (IMAGE_FILE, b"no gzip", "damaged gzip"),
        (IMAGE_FILE, b"", "is damaged|not an IDX"),
        (IMAGE_FILE, gzip.compress(idx_bytes(IMAGES)[:-7]), "is damaged"),
        (IMAGE_FILE, gzip.compress(b"\x89PNG" + bytes(30)), "not an IDX file"),
        (IMAGE_FILE, gzip.compress(idx_bytes(IMAGES.astype(np.float32))), "unsigned bytes"),
        (LABEL_FILE, gzip.compress(idx_bytes(LABELS[:5])), "do not belong together"),
        (LABEL_FILE, gzip.compress(idx_bytes(LABELS.astype(np.float32))), "list of integers"),
    ],
)
def test_damage_is_named(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    write_idx(tmp_path, IMAGES, LABELS)
    _replace(tmp_path, name, data)
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path)
    assert name in str(error.value)


def test_a_bit_flipped_inside_gzip_is_found(tmp_path: Path) -> None:
    write_idx(tmp_path, IMAGES, LABELS)
    data = bytearray((tmp_path / IMAGE_FILE).read_bytes())
    data[-6] ^= 1  # in the checksum of the content
    _replace(tmp_path, IMAGE_FILE, bytes(data))
    with pytest.raises(DataError, match="damaged gzip"):
        read(tmp_path)


def test_missing_labels_are_named(tmp_path: Path) -> None:
    write_idx(tmp_path, IMAGES, LABELS)
    (tmp_path / LABEL_FILE).unlink()
    with pytest.raises(DataError, match="no labels beside it"):
        read(tmp_path)


def test_two_datasets_are_not_mixed(tmp_path: Path) -> None:
    write_idx(tmp_path / "MNIST" / "raw", IMAGES, LABELS)
    write_idx(tmp_path / "FashionMNIST" / "raw", IMAGES, LABELS)
    with pytest.raises(DataError, match="more than one dataset"):
        read(tmp_path)


def test_two_training_pairs_are_refused(tmp_path: Path) -> None:
    write_idx(tmp_path, IMAGES, LABELS, "emnist-letters-train")
    write_idx(tmp_path, IMAGES, LABELS, "emnist-digits-train")
    with pytest.raises(DataError, match="one pair for each"):
        read(tmp_path)
