"""CIFAR-10.1 and CIFAR-10-C: arrays in place, all of it test, photographs grouped."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.catalog import cifar, cifar_arrays
from sightline.errors import DataError
from sightline.indexing import index
from sightline.splits import split
from tests.catalog.cifar_files import packed
from tests.sources import write_files

LABELS = np.array([3, 8, 8, 0], np.uint8)


def npy(values: np.ndarray[Any, Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=True)
    return stream.getvalue()


def images(n: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)


def corrupted() -> dict[str, bytes]:
    return {"labels.npy": npy(np.tile(LABELS, 5)), "fog.npy": npy(images(20, 1)), "brightness.npy": npy(images(20, 2)),
            "README.txt": b"", "unknown_noise.npy": npy(images(20, 3))}  # fmt: skip


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sets with four photographs, so that they can be recognised in a miniature."""
    one, c = cifar.CIFAR10_1, cifar.CIFAR10_C
    monkeypatch.setattr(cifar, "CIFAR10_1", dataclasses.replace(one, counts={"images of version v6": 4}))
    monkeypatch.setattr(cifar, "CIFAR10_C", dataclasses.replace(c, counts={"different photographs": 4}))


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("below", ["", "datasets/"])
def test_a_version_of_cifar10_1(tmp_path: Path, below: str) -> None:
    shown = images(4)
    version = {f"{below}cifar10.1_v6_data.npy": npy(shown), f"{below}cifar10.1_v6_labels.npy": npy(LABELS.astype("i4"))}
    samples = index(write_files(tmp_path, version))
    assert samples.column("key") == [f"test/v6/{i:05d}" for i in range(4)]
    assert [samples.classes.ids[v] for v in samples.labels] == ["cat", "ship", "ship", "airplane"]
    assert set(samples.column("dataset")) == {"cifar10.1"}
    reader = samples.reader()
    for i in range(4):
        np.testing.assert_array_equal(reader.pixels(i).values, shown[i])


def test_two_versions_are_not_mixed(tmp_path: Path) -> None:
    both = {f"cifar10.1_{v}_{what}.npy": npy(values)
            for v in ("v4", "v6") for what, values in (("data", images(4)), ("labels", LABELS))}  # fmt: skip
    write_files(tmp_path, both)
    with pytest.raises(DataError, match="2 versions"):
        index(tmp_path)
    samples = index(tmp_path / "cifar10.1_v4_data.npy")
    assert samples.column("key")[0] == "test/v4/00000"
    assert set(samples.column("dataset")) == {""}  # four images are no CIFAR-10.1


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("form", ["folder", "tar", "above the tar", "above the folder"])
def test_corrupted_images_of_one_photograph_are_one_group(tmp_path: Path, form: str) -> None:
    if "tar" in form:
        source = packed(tmp_path / "CIFAR-10-C.tar", "CIFAR-10-C", corrupted())
    else:
        source = write_files(tmp_path / "CIFAR-10-C", corrupted())
    samples = index(source.parent if form.startswith("above") else source)
    assert samples.name == "cifar10-c"
    assert len(samples) == 40
    assert samples.column("key")[:6] == [
        "test/brightness/1/00000", "test/brightness/1/00001", "test/brightness/1/00002", "test/brightness/1/00003",
        "test/brightness/2/00000", "test/brightness/2/00001",
    ]  # fmt: skip
    assert samples.column("group_id")[:5] == [f"image:test/{i:05d}" for i in (0, 1, 2, 3, 0)]
    assert len(set(samples.column("group_id"))) == 4
    assert [samples.classes.ids[v] for v in samples.labels[:4]] == ["cat", "ship", "ship", "airplane"]
    reader = samples.reader()
    np.testing.assert_array_equal(reader.pixels(5).values, images(20, 2)[5])
    np.testing.assert_array_equal(reader.pixels(20 + 19).values, images(20, 1)[19])


def test_all_of_it_is_sealed(tmp_path: Path) -> None:
    splits = split(index(write_files(tmp_path, corrupted())))
    assert {k: n for k, n in splits.sizes.items() if n} == {"test": 40}


def test_a_set_laid_out_alike_keeps_its_numbers(tmp_path: Path) -> None:
    other = {**corrupted(), "labels.npy": npy(np.tile(np.array([49, 33, 72, 51]), 5))}
    samples = index(write_files(tmp_path / "CIFAR-100-C", other))
    assert [samples.classes.ids[v] for v in samples.labels[:2]] == ["49", "33"]
    assert samples.name == "CIFAR-100-C"


FORTRAN = npy(np.asfortranarray(images(20)))


@pytest.mark.parametrize(("name", "data", "message"), [
    ("fog.npy", npy(images(19)), "fog.npy has 19 images, labels.npy 20 labels"),
    ("fog.npy", npy(images(20).astype(np.float32)), "holds float32"),
    ("fog.npy", npy(images(20))[:-5], "damaged"),
    ("fog.npy", b"\x93NUMPY", "damaged"),
    ("fog.npy", b"", "damaged"),
    ("fog.npy", npy(np.array([{}], dtype=object)), "objects instead of numbers"),
    ("fog.npy", FORTRAN, "columns before rows"),
    ("labels.npy", npy(np.arange(20)), "not 5 times the same"),
    ("labels.npy", npy(np.tile(LABELS, 5)[:-1]), "not 5 times the same"),
    ("labels.npy", npy(np.tile(LABELS, 5).astype(float)), "wanted a list"),
    ("labels.npy", npy(np.tile(LABELS.astype(int) - 2, 5)), "wanted a list"),
])  # fmt: skip
def test_damage_is_named(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        index(write_files(tmp_path, {**corrupted(), name: data}))


def test_the_names_that_make_the_benchmark() -> None:
    assert len(cifar_arrays.BENCHMARK) == 15
    assert len(cifar_arrays.CORRUPTIONS) == 19
    assert cifar.CIFAR10_C.num_samples["test"] == 19 * 5 * 10_000
