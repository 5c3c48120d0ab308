"""HDF5: arrays at byte ranges, chunks, filters, variable length, groups; links, damage and bombs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from sightline.errors import DataError, DecodeError, MissingExtraError
from sightline.formats import Attributes, Listing, hdf5
from sightline.images.containers import Reference
from sightline.images.containers.hdf5 import Hdf5
from sightline.indexing import index
from sightline.samples import SampleTable
from tests.sources import jpeg, picture

COLOUR = np.stack([picture(5, 4, seed=i) for i in range(7)])
LABELS = np.array([3, 1, 3, 0, 1, 2, 2])
IMAGES = [jpeg(i) for i in range(7)]


def read(path: Path) -> Listing:
    assert hdf5.is_at(path)
    return hdf5.read(path, Attributes())


def containers(samples: SampleTable) -> set[str]:
    return set(samples.table["image"].combine_chunks().field("container").to_pylist())


def holds(samples: SampleTable, images: Any) -> None:
    assert len(samples) == len(images)
    for i, image in enumerate(images):
        np.testing.assert_array_equal(samples.reader().pixels(i).values, image)


@pytest.mark.parametrize(
    ("options", "container"),
    [
        ({}, "hdf5"),
        ({"chunks": (1, 5, 4, 3)}, "hdf5"),
        ({"chunks": (3, 5, 4, 3)}, "hdf5"),
        ({"chunks": (1, 5, 2, 3)}, "hdf5.packed"),
        ({"chunks": (2, 5, 4, 3), "compression": "gzip"}, "hdf5.packed"),
        ({"chunks": (1, 5, 4, 3), "shuffle": True}, "hdf5.packed"),
    ],
)
@pytest.mark.parametrize("user_block", [0, 1024])
def test_arrays(tmp_path: Path, options: dict[str, Any], container: str, user_block: int) -> None:
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=user_block) as f:
        f.create_dataset("images", data=COLOUR, **options)
        f["labels"] = LABELS[:, None]
        f["patient"] = np.arange(7) // 2
    samples = index(tmp_path / "a.h5")
    assert containers(samples) == {container}
    assert samples.column("group_id")[:3] == ["patient:0", "patient:0", "patient:1"]
    assert [samples.classes.ids[v] for v in samples.labels] == [str(v) for v in LABELS]
    holds(samples, COLOUR)


def test_chunks_that_were_never_written(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as f:
        d = f.create_dataset("x", (7, 5, 4, 3), "u1", chunks=(2, 5, 4, 3))
        d[:2] = COLOUR[:2]
        f["y"] = LABELS
    samples = index(tmp_path / "a.h5")
    assert containers(samples) == {"hdf5.packed"}
    holds(samples, [*COLOUR[:2], *np.zeros_like(COLOUR[2:])])


def test_encoded_images_of_variable_length(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as f:
        d = f.create_dataset("images", (8,), h5py.vlen_dtype(np.uint8))
        for i, data in enumerate(IMAGES):
            d[i] = np.frombuffer(data, np.uint8)
        f["labels"] = [f"c{i % 2}" for i in range(8)]
        f["key"] = [f"é{i + 5}.jpg".encode() for i in range(8)]
    samples = index(tmp_path / "a.h5")
    assert [samples.reader().payload(i) for i in range(7)] == IMAGES
    assert samples.classes.ids == ("c0", "c1")
    assert samples.column("key")[0] == "é5.jpg"
    assert samples.column("status") == ["ok"] * 7 + ["unreadable"]


def test_images_and_labels_in_files_of_their_own(tmp_path: Path) -> None:
    for split, n in (("train", 7), ("valid", 3)):
        for name, values in (("x", COLOUR[:n]), ("y", LABELS[:n].reshape(n, 1, 1, 1))):
            with h5py.File(tmp_path / f"camelyonpatch_level_2_split_{split}_{name}.h5", "w") as f:
                f[name] = values
    samples = index(tmp_path)
    assert samples.column("split") == ["train"] * 7 + ["val"] * 3
    holds(samples, [*COLOUR, *COLOUR[:3]])


def test_splits_inside_a_file_and_names_of_classes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as f:
        for split in ("train", "test"):
            f[f"{split}/images"], f[f"{split}/labels"] = COLOUR, LABELS
        f.attrs["class_names"] = ["a", "b", "c", "d"]
    listing = read(tmp_path / "a.hdf5")
    assert listing.class_ids == ("a", "b", "c", "d")
    assert listing.labels[:3] == ["d", "b", "d"]
    assert listing.keys[7] == "test/00000"


def test_a_group_for_each_class(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as f:
        for i, data in enumerate(IMAGES):
            f[f"{'train' if i < 5 else 'val'}/{'ab'[i % 2]}/{i}.jpg"] = np.frombuffer(data, np.uint8)
        f["val/a/8.jpg"] = np.void(IMAGES[0])
        f["val/a/9.jpg"] = COLOUR[0]
        f.create_dataset("val/b/z.jpg", data=np.zeros(4000, np.uint8), chunks=True, compression="gzip")
    samples = index(tmp_path / "a.h5")
    assert samples.column("key")[0] == "train/a/0.jpg"
    assert samples.column("split").count("val") == 5
    by_key = dict(zip(samples.column("key"), range(10), strict=True))
    assert samples.reader().payload(by_key["train/b/3.jpg"]) == IMAGES[3]
    assert samples.reader().payload(by_key["val/a/8.jpg"]) == IMAGES[0]
    reasons = [samples.column("reason")[by_key[k]] for k in ("val/a/9.jpg", "val/b/z.jpg")]
    assert reasons[0] == "pixels, unlike the others"
    assert reasons[1].startswith("compressed or empty")


def test_groups_of_plain_pixels(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as f:
        for i in range(4):
            f[f"{'ab'[i % 2]}/{i}"] = COLOUR[i, :, : 2 + i // 2]
        f["b/4"] = COLOUR[0].astype(np.float32)
    samples = index(tmp_path / "a.h5")
    keys = samples.column("key")
    for i in range(4):
        at = keys.index(f"{'ab'[i % 2]}/{i}")
        np.testing.assert_array_equal(samples.reader().pixels(at).values, COLOUR[i, :, : 2 + i // 2])
    assert samples.column("status")[keys.index("b/4")] == "unreadable"


def _links(f: Any) -> None:
    f["a/outside"] = h5py.ExternalLink("/etc/passwd", "/")
    f["a/soft"] = h5py.SoftLink("/a")


def _external(f: Any) -> None:
    f.create_dataset("images", (7, 5, 4, 3), "u1", external=[("/etc/passwd", 0, 420)])


def _virtual(f: Any) -> None:
    layout = h5py.VirtualLayout((7, 5, 4, 3), "u1")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (7, 5, 4, 3))
    f.create_virtual_dataset("images", layout)


def _large_pieces(f: Any) -> None:
    f.create_dataset("images", (60_000, 80, 80, 3), "u1", chunks=(20_000, 80, 80, 3), compression="gzip")
    f["labels"] = np.arange(60_000) % 2


def _deep(f: Any) -> None:
    f["/".join("abcdefghijkl")] = 1


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (_links, "holds nothing"),
        (_external, "keeps its values in other files"),
        (_virtual, "keeps its values in other files"),
        (_large_pieces, "pieces of 20000 images"),
        (_deep, "deep"),
        (lambda f: f.update({"images": COLOUR.astype("f4"), "labels": LABELS}), "type float32"),
        (lambda f: f.update({"images": COLOUR, "labels": LABELS[:3]}), "7 images but 3 labels"),
        (lambda f: f.update({"weights": COLOUR}), "holds weights 7×5×4×3"),
    ],
)
def test_what_is_refused(tmp_path: Path, write: Callable[[Any], None], message: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as f:
        write(f)
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path / "a.h5")
    assert "a.h5" in str(error.value)


def test_damage(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("images", data=COLOUR, chunks=(1, 5, 4, 3), fletcher32=True)
        f["labels"] = LABELS
    data = bytearray((tmp_path / "a.h5").read_bytes())
    at = data.index(COLOUR[2].tobytes())
    data[at + 7] ^= 1
    (tmp_path / "a.h5").write_bytes(data)
    assert index(tmp_path / "a.h5").hashed().column("status") == ["ok", "ok", "unreadable", "ok", "ok", "ok", "ok"]
    (tmp_path / "a.h5").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match="not a readable HDF5"):
        read(tmp_path / "a.h5")
    (tmp_path / "a.h5").write_bytes(b"words")
    assert not hdf5.is_at(tmp_path)


def test_an_entry_that_is_gone(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["x"] = COLOUR
    place = Reference(str(tmp_path / "a.h5"), "x", None, None, None, 9, None, None)
    for wrong in (place, place._replace(member="y")):
        with pytest.raises(DecodeError, match="cannot be read"):
            Hdf5().payload(wrong)


def test_a_forked_process_opens_files_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["x"] = COLOUR
    place = Reference(str(tmp_path / "a.h5"), "x", None, None, None, 1, None, None)
    reader = Hdf5()
    assert reader.payload(place) == COLOUR[1].tobytes()
    before = reader._files[place.path]
    reader.payload(place)
    assert reader._files[place.path] is before
    process = os.getpid()
    monkeypatch.setattr("os.getpid", lambda: process + 1)
    assert reader.payload(place) == COLOUR[1].tobytes()
    assert reader._files[place.path] is not before


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["x"], f["y"] = COLOUR, LABELS
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"sightline\[hdf5\]"):
        read(tmp_path / "a.h5")
