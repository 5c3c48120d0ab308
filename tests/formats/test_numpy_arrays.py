"""NPY and NPZ: pairs by their names, layouts of pixels, labels of several kinds; objects, damage and bombs."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.errors import DataError, DecodeError
from sightline.formats import Attributes, Listing, numpy_arrays
from sightline.formats.array_pairs import Pair, pairs_of
from sightline.images.containers import Reference, npz
from sightline.indexing import index
from tests.sources import jpeg, picture, write_files

COLOUR = np.stack([picture(5, 4, seed=i) for i in range(6)])
GREY = COLOUR[:, :, :, 0].copy()
LABELS = np.array([3, 1, 3, 0, 1, 2], np.int64)


def read(path: Path, **attributes: Any) -> Listing:
    assert numpy_arrays.is_at(path)
    return numpy_arrays.read(path, Attributes(**attributes))


def save(folder: Path, **arrays: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)
    return folder


@pytest.mark.parametrize("savez", [np.savez, np.savez_compressed])
def test_npz_as_keras_has_it(tmp_path: Path, savez: Any) -> None:
    file = tmp_path / "mnist.npz"
    savez(file, x_test=GREY[:2], x_train=GREY, y_train=LABELS, y_test=LABELS[:2])
    samples = index(file)
    assert samples.column("key") == [*(f"train/{i:05d}" for i in range(6)), "test/00000", "test/00001"]
    assert [samples.classes.ids[v] for v in samples.labels] == [str(v) for v in [*LABELS, *LABELS[:2]]]
    for i, image in enumerate([*GREY, *GREY[:2]]):
        np.testing.assert_array_equal(samples.reader().pixels(i).values[:, :, 0], image)
    containers = set(samples.table["image"].combine_chunks().field("container").to_pylist())
    assert containers == ({"zip"} if savez is np.savez else {"npz"})


def test_npy_pairs(tmp_path: Path) -> None:
    samples = index(save(tmp_path, birds_v6_data=COLOUR, birds_v6_labels=LABELS))
    for i, image in enumerate(COLOUR):
        np.testing.assert_array_equal(samples.reader().pixels(i).values, image)
    assert index(tmp_path / "birds_v6_data.npy").column("key") == samples.column("key")
    save(tmp_path, birds_v4_data=COLOUR, birds_v4_labels=LABELS)
    with pytest.raises(DataError, match="several arrays of images"):
        numpy_arrays.is_at(tmp_path)
    assert len(read(tmp_path / "birds_v4_data.npy").keys) == 6


@pytest.mark.parametrize(
    ("array", "pixels", "mode"),
    [
        (COLOUR.transpose(0, 3, 1, 2), COLOUR, "RGB"),
        (GREY[..., None], GREY[..., None], "L"),
        (GREY[:, None], GREY[..., None], "L"),
        (GREY.astype(np.uint16) * 200, GREY[..., None].astype(np.uint16) * 200, "I;16"),
        (GREY.astype(">u2") * 200, GREY[..., None].astype(np.uint16) * 200, "I;16"),
        (GREY > 99, (GREY[..., None] > 99) * np.uint8(255), "L"),
    ],
)
def test_layouts_of_pixels(tmp_path: Path, array: Any, pixels: Any, mode: str) -> None:
    samples = index(save(tmp_path, images=np.ascontiguousarray(array), labels=LABELS))
    assert samples.table["image"][0].as_py()["mode"] == mode
    for i in range(6):
        np.testing.assert_array_equal(samples.reader().pixels(i).values, pixels[i])
    assert set(samples.hashed().column("status")) == {"ok"}


@pytest.mark.parametrize(
    ("labels", "native"),
    [
        (LABELS[:, None], ["3", "1", "3", "0", "1", "2"]),
        (np.eye(4, dtype=np.float32)[LABELS], ["3", "1", "3", "0", "1", "2"]),
        (np.array([b"a", b"b", b"", b"a", b"b", b"a"]), ["a", "b", None, "a", "b", "a"]),
        (np.array(["a", "b", "é", "a", "b", "a"]), ["a", "b", "é", "a", "b", "a"]),
        (LABELS.astype(np.float64), ["3", "1", "3", "0", "1", "2"]),
        (LABELS - 1, ["2", "0", "2", None, "0", "1"]),
        (LABELS > 0, ["1", "1", "1", "0", "1", "1"]),
    ],
)
def test_kinds_of_labels(tmp_path: Path, labels: Any, native: list[str | None]) -> None:
    assert read(save(tmp_path, images=GREY, labels=labels)).labels == native


def test_names_groups_and_an_unlabelled_test(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "a.npz", train_images=GREY, train_labels=LABELS, test_images=GREY[:2],
        class_names=np.array(["a", "b", "c", "d"]), train_patient=np.array([1, 1, 2, 2, 3, 3]),
        train_embedding=np.zeros((6, 9)),
    )  # fmt: skip
    listing = read(tmp_path / "a.npz")
    assert listing.class_ids == ("a", "b", "c", "d")
    assert listing.labels == ["d", "b", "d", "a", "b", "c", None, None]
    assert listing.groups is not None
    assert listing.groups[0] == [("patient", "1")]


def test_a_file_for_each_split(tmp_path: Path) -> None:
    for name in ("train", "val"):
        np.savez(tmp_path / f"{name}.npz", x=GREY, y=LABELS)
    assert read(tmp_path).splits == ["train"] * 6 + ["val"] * 6
    np.savez(tmp_path / "more.npz", x=GREY, y=LABELS)
    with pytest.raises(DataError, match="not each names a split"):
        read(tmp_path)


def test_which_names_are_pairs() -> None:
    assert pairs_of(["camelyonpatch_level_2_split_valid_x", "camelyonpatch_level_2_split_valid_y"], "") == [
        Pair("val", "camelyonpatch_level_2_split_valid_x", "camelyonpatch_level_2_split_valid_y")
    ]
    assert pairs_of(["train_set_x", "train_set_y", "list_classes"], "") == [Pair("train", "train_set_x", "train_set_y")]
    assert pairs_of(["embeddings", "labels"], "") == []
    assert pairs_of(["images"], "") == []


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (COLOUR.astype(np.float32), LABELS, "type float32; wanted uint8.*Scale them"),
        (COLOUR.reshape(6, -1), LABELS, "6 × 60 values"),
        (COLOUR, LABELS[:5], "6 images but 5 labels"),
        (COLOUR, np.ones((6, 3), np.int64), "3 values for each sample"),
        (COLOUR, np.array([{}] * 6), "Python objects"),
        (np.array([object()] * 6), LABELS, "Python objects"),
        (np.asfortranarray(COLOUR), LABELS, "Fortran order"),
        (np.zeros((6, 0, 4), np.uint8), LABELS, "images with pixels"),
    ],
)
def test_what_is_refused(tmp_path: Path, images: Any, labels: Any, message: str) -> None:
    save(tmp_path, images=images, labels=labels)
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def _npy(array: Any, change: tuple[bytes, bytes] = (b"", b"")) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue().replace(*change)


@pytest.mark.parametrize(
    "data",
    [b"", b"words", _npy(GREY)[:-1], _npy(GREY)[:50], _npy(GREY, (b"(6, 5, 4)", b"(-6,-5,4)")),
     _npy(GREY, (b"'|u1'", b"1+1  ")), _npy(GREY, (b"(6, 5, 4)", b"(9, 5, 4)"))],
)  # fmt: skip
def test_damage_is_named(tmp_path: Path, data: bytes) -> None:
    save(tmp_path, images=GREY, labels=LABELS)
    (tmp_path / "images.npy").write_bytes(data)
    with pytest.raises(DataError, match=r"images\.npy"):
        read(tmp_path)


def test_damaged_zips(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    np.savez_compressed(file, x=GREY, y=LABELS)
    data = file.read_bytes()
    file.write_bytes(data[:-40])
    with pytest.raises(DataError, match="not a readable NPZ"):
        numpy_arrays.is_at(file)
    file.write_bytes(data.replace(b"x.npy", b"y.npy"))
    with pytest.raises(DataError, match="an array twice"):
        numpy_arrays.is_at(file)


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.npz"
    np.savez_compressed(file, x=np.zeros((100, 100, 100), np.uint8), y=np.arange(100) % 2)
    samples = index(file)
    monkeypatch.setattr(npz, "MAX_BYTES", 10_000)
    with pytest.raises(DecodeError, match="unpacks to more than"):
        samples.reader().payload(0)
    monkeypatch.setattr(numpy_arrays, "MAX_VALUES_BYTES", 100)
    with pytest.raises(DataError, match="no labels take so many"):
        index(file)


def test_a_range_behind_the_end_of_a_member(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=GREY)
    place = Reference(str(tmp_path / "a.npz"), "x.npy", 100, 10_000, None, None, None, None)
    with pytest.raises(DecodeError, match="ends before"):
        npz.Npz().payload(place)
    with pytest.raises(DecodeError, match="damaged NPZ"):
        npz.Npz().payload(place._replace(member="gone.npy"))


def test_arrays_beside_class_folders_are_left(tmp_path: Path) -> None:
    write_files(tmp_path, {f"{c}/{i}.jpg": jpeg(i) for i, c in enumerate("abab")})
    (tmp_path / "features.npz").write_bytes(b"words")
    np.save(tmp_path / "embeddings.npy", np.zeros((4, 9)))
    assert index(tmp_path).classes.ids == ("a", "b")
    with zipfile.ZipFile(tmp_path / "features.npz", "w") as archive:
        archive.writestr("x.txt", "words")
    assert not numpy_arrays.is_at(tmp_path)
