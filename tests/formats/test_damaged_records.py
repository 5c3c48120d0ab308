"""Records with any byte changed, or cut anywhere: samples, rows with a reason, or an error that names the source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import DataError
from sightline.indexing import index
from tests.formats.offset_shards import LEAF, tree, write_litdata, write_mds
from tests.formats.test_arrow import write_arrow
from tests.formats.test_lmdb import datum, write_lmdb
from tests.formats.tf_records import write_tfrecord
from tests.sources import jpeg, picture

IMAGES = [jpeg(i) for i in range(4)]
ARRAY = np.stack([picture(5, 4, seed=i) for i in range(4)])


def _npz(folder: Path, savez: Any) -> Path:
    savez(folder / "a.npz", x=ARRAY, y=np.arange(4) % 2)
    return folder / "a.npz"


def _hdf5(folder: Path) -> Path:
    with h5py.File(folder / "a.h5", "w") as f:
        f.create_dataset("x", data=ARRAY, chunks=(1, 5, 4, 3), compression="gzip")
        f["y"] = np.arange(4) % 2
    return folder / "a.h5"


def _npy(folder: Path) -> Path:
    np.save(folder / "labels.npy", np.arange(4) % 2)
    np.save(folder / "images.npy", ARRAY)
    return folder / "images.npy"


ROWS = [{"image": v, "label": i % 2} for i, v in enumerate(IMAGES)]
MAKERS: dict[str, Callable[[Path], Path]] = {
    "tfrecord": lambda d: write_tfrecord(d / "a.tfrecord", ROWS),
    "mds": lambda d: write_mds(d, {"image": "bytes", "label": "int"}, ROWS, 4) / "shard.00000.mds",
    "litdata": lambda d: write_litdata(d, ["pil", "int"], [(v, i % 2) for i, v in enumerate(ARRAY)],
                                       tree("tuple", [], [LEAF, LEAF]), 4) / "chunk-0-0.bin",
    "lmdb": lambda d: write_lmdb(d / "e", {b"%d" % i: datum(v, i % 2, is_encoded=True)
                                           for i, v in enumerate(IMAGES)}) / "data.mdb",
    "arrow": lambda d: write_arrow(d / "a.arrow", list(IMAGES), [0, 1, 0, 1]),
    "npy": _npy,
    "npz": lambda d: _npz(d, np.savez),
    "npz compressed": lambda d: _npz(d, np.savez_compressed),
    "hdf5": _hdf5,
}  # fmt: skip


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_no_damage_is_a_traceback(tmp_path_factory: pytest.TempPathFactory, name: str, data: Any) -> None:
    file = MAKERS[name](tmp_path_factory.mktemp("source"))
    source = file.parent if file.suffix in {".mds", ".bin", ".mdb"} else file
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        # Most of what can go wrong stands at the ends of a file.
        at = data.draw(st.one_of(st.integers(0, 200), st.integers(-300, -1), st.integers(0, len(content) - 1)))
        content[at % len(content)] = data.draw(st.integers(0, 255))
    file.write_bytes(content[: data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))])
    try:
        samples = index(source).hashed()
    except DataError:
        return
    reasons = zip(samples.column("status"), samples.column("reason"), strict=True)
    assert all((status == "ok") == (reason is None) for status, reason in reasons)
