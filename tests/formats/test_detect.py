"""The family: each layout is found without flags, and none takes another's source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from sightline.conversion import convert
from sightline.errors import DataError
from sightline.formats import FORMATS, detect
from sightline.indexing import index
from tests.archives import write_tar, write_zip
from tests.formats.offset_shards import LEAF, tree, write_litdata, write_mds
from tests.formats.test_arrow import write_arrow
from tests.formats.test_lmdb import write_lmdb
from tests.formats.tf_records import write_tfrecord
from tests.sources import jpeg, picture, write_files, write_hub, write_idx


def _idx(folder: Path) -> Path:
    return write_idx(folder, np.stack([picture(4, 4, 1, i) for i in range(4)]), np.array([0, 1, 0, 1], np.uint8))


def _hub(folder: Path) -> Path:
    return write_hub(folder / "data/train-00000-of-00001.parquet", [jpeg(i) for i in range(4)], [0, 1, 0, 1]).parents[1]


def _folders(folder: Path) -> Path:
    return write_files(folder, {f"{c}/{i}.jpg": jpeg(i) for i, c in enumerate("abab")})


def _manifest(folder: Path) -> Path:
    _folders(folder)
    (folder / "list.csv").write_text("path,label\n" + "".join(f"{c}/{i}.jpg,{c}\n" for i, c in enumerate("abab")))
    return folder


def _tfrecord(folder: Path) -> Path:
    rows = [{"image": jpeg(i), "label": i % 2} for i in range(4)]
    return write_tfrecord(folder / "train.tfrecord-00000-of-00001", rows).parent


def _mds(folder: Path) -> Path:
    rows = [{"image": jpeg(i), "label": i % 2} for i in range(4)]
    return write_mds(folder, {"image": "bytes", "label": "int"}, rows)


def _litdata(folder: Path) -> Path:
    spec = tree("tuple", [], [LEAF, LEAF])
    return write_litdata(folder, ["bytes", "int"], [(jpeg(i), i % 2) for i in range(4)], spec)


def _lmdb(folder: Path) -> Path:
    return write_lmdb(folder, {f"{c}/{i}.jpg".encode(): jpeg(i) for i, c in enumerate("abab")})


def _numpy(folder: Path) -> Path:
    folder.mkdir()
    np.savez(folder / "a.npz", x_train=np.zeros((4, 5, 5), np.uint8), y_train=np.array([0, 1, 0, 1]))
    return folder


def _hdf5(folder: Path) -> Path:
    folder.mkdir()
    with h5py.File(folder / "a.h5", "w") as f:
        f["images"], f["labels"] = np.zeros((4, 5, 5), np.uint8), np.array([0, 1, 0, 1])
    return folder


def _arrow(folder: Path) -> Path:
    return write_arrow(folder / "train/data-00000-of-00001.arrow", [jpeg(i) for i in range(4)], [0, 1, 0, 1]).parents[1]


def _tar(folder: Path) -> Path:
    return write_tar(folder / "photos.tar", {f"{c}/{i}.jpg": jpeg(i) for i, c in enumerate("abab")})


def _webdataset(folder: Path) -> Path:
    return write_tar(folder / "a.tar", {f"{i}.{s}": jpeg(i) if s == "jpg" else b"%d" % (i % 2) for i in range(4)
                                        for s in ("jpg", "cls")})  # fmt: skip


def _zip(folder: Path) -> Path:
    return write_zip(folder / "photos.zip", {f"{c}/{i}.jpg": jpeg(i) for i, c in enumerate("abab")})


def _converted(folder: Path) -> Path:
    convert(index(_folders(folder.with_name("photos"))), folder, to="class-folders")
    return folder


MAKERS: dict[str, Callable[[Path], Path]] = {
    "a converted folder": _converted,
    "IDX": _idx,
    "hub Parquet": _hub,
    "Arrow": _arrow,
    "TFRecord": _tfrecord,
    "MDS": _mds,
    "litdata": _litdata,
    "LMDB": _lmdb,
    "NumPy arrays": _numpy,
    "HDF5": _hdf5,
    "manifest": _manifest,
    "WebDataset": _webdataset,
    "tar": _tar,
    "zip": _zip,
    "class folders": _folders,
}


def test_every_format_has_a_maker() -> None:
    assert {f.name for f in FORMATS} == set(MAKERS)


@pytest.mark.parametrize("name", MAKERS)
def test_found_by_content(tmp_path: Path, name: str) -> None:
    assert detect(MAKERS[name](tmp_path / "source")).name == name


def test_a_table_without_paths_beside_class_folders_is_not_taken(tmp_path: Path) -> None:
    _folders(tmp_path)
    (tmp_path / "scores.csv").write_text("epoch,loss\n1,2\n")
    (tmp_path / "latin.csv").write_bytes("path,läbel\n".encode("latin-1"))
    assert detect(tmp_path).name == "class folders"


def test_a_file_that_is_none_of_them(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    with pytest.raises(DataError, match="not a source Sightline reads"):
        detect(tmp_path / "photo.jpg")
