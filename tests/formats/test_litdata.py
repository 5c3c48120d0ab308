"""litdata: leaves at their places, names from the tree, damage; what the library itself writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from sightline.errors import DataError
from sightline.formats import Attributes, Listing, litdata
from sightline.indexing import index
from tests.formats.offset_shards import LEAF, tree, with_rows, write_litdata
from tests.sources import jpeg, picture

IMAGES = [jpeg(i) for i in range(7)]
PAIR = tree("tuple", [], [LEAF, LEAF])
ROWS = [(IMAGES[i], i % 2) for i in range(7)]


def read(path: Path) -> Listing:
    assert litdata.is_at(path)
    return litdata.read(path, Attributes())


def test_named_leaves(tmp_path: Path) -> None:
    meta = tree("dict", ["id", "w"], [LEAF, LEAF])
    spec = tree("dict", ["image", "label", "filename", "meta"], [LEAF, LEAF, LEAF, meta])
    rows = [(IMAGES[i], i % 2, f"p{i + 3}.jpg", "x", 0.5) for i in range(7)]
    formats = ["jpeg", "int", "str", "str", "float"]
    write_litdata(tmp_path / "test", formats, rows[5:], spec)
    samples = index(write_litdata(tmp_path / "train", formats, rows[:5], spec).parent)
    assert samples.column("key") == [*(f"train/p{i + 3}.jpg" for i in range(5)), "test/p8.jpg", "test/p9.jpg"]
    assert samples.labels.tolist() == [i % 2 for i in range(7)]
    assert [samples.reader().payload(i) for i in range(7)] == IMAGES


def test_unnamed_leaves_are_image_and_label_where_only_one_can_be(tmp_path: Path) -> None:
    listing = read(write_litdata(tmp_path, ["bytes", "int"], ROWS, PAIR))
    assert listing.labels == [str(i % 2) for i in range(7)]
    assert listing.keys[6] == "00006"
    three = tree("tuple", [], [LEAF, LEAF, LEAF])
    write_litdata(tmp_path, ["bytes", "int", "int"], [(*r, 5) for r in ROWS], three)
    with pytest.raises(DataError, match="has no labels; it has: 1, 2"):
        read(tmp_path)


def test_pixels_of_pillow(tmp_path: Path) -> None:
    images = [picture(5, 4 + i, 1 if i else 3, seed=i) for i in range(4)]
    samples = index(write_litdata(tmp_path, ["pil", "int"], [(v, i % 2) for i, v in enumerate(images)], PAIR))
    for i, image in enumerate(images):
        np.testing.assert_array_equal(samples.reader().pixels(i).values.squeeze(), image)


def _rows(folder: Path, compression: str | None = None) -> Path:
    spec = tree("dict", ["image", "label"], [LEAF, LEAF])
    write_litdata(folder, ["bytes", "int"], ROWS, spec, per_chunk=4)
    for k, (start, stop) in enumerate([(0, 4), (4, 7)]):
        some = {"image": IMAGES[start:stop], "label": [i % 2 for i in range(start, stop)]}
        with_rows(folder / f"chunk-0-{k}.bin", pa.table(some), compression)
    return folder


def test_samples_as_rows_of_arrow(tmp_path: Path) -> None:
    samples = index(_rows(tmp_path))
    assert samples.labels.tolist() == [i % 2 for i in range(7)]
    assert [samples.reader().payload(i) for i in range(7)] == IMAGES


def test_damaged_and_compressed_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="compressed rows"):
        read(_rows(tmp_path / "a", "zstd"))
    file = _rows(tmp_path / "b") / "chunk-0-0.bin"
    data = file.read_bytes()
    for damage in (data[:-12] + b"\xff\xff\xff\x7f" + data[-8:], data[:-200] + data[-8:]):
        file.write_bytes(damage)
        with pytest.raises(DataError, match="its rows cannot be read"):
            read(tmp_path / "b")
    with_rows(file, pa.table({"image": IMAGES[:2], "label": [0, 1]}))
    with pytest.raises(DataError, match="2 samples, its index says 4"):
        read(tmp_path / "b")


def test_compressed_chunks_are_refused_with_advice(tmp_path: Path) -> None:
    write_litdata(tmp_path, ["bytes", "int"], ROWS, PAIR, compression="zstd")
    with pytest.raises(DataError, match=r"compression \(zstd\).*Optimize the dataset again"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda about: about["chunks"][0].update(filename="../x.bin"), "lies outside"),
        (lambda about: about["chunks"][0].update(filename="x.bin"), "is missing, with 3 samples"),
        (lambda about: about["chunks"][0].update(chunk_size=9), "its index says 9"),
        (lambda about: about["config"].update(data_format=["pickle", "int"]), "no columns that could be the image"),
        (lambda about: about["config"].update(data_spec="[1, 2]"), "does not describe litdata"),
        (lambda about: about.update(chunks=5), "does not describe litdata"),
    ],
)
def test_an_index_that_does_not_fit(tmp_path: Path, change: Any, message: str) -> None:
    write_litdata(tmp_path, ["bytes", "int"], ROWS, PAIR)
    about = json.loads((tmp_path / "index.json").read_text())
    change(about)
    (tmp_path / "index.json").write_text(json.dumps(about))
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_what_litdata_writes(tmp_path: Path) -> None:
    writer_of = pytest.importorskip("litdata.streaming.writer")
    writer = writer_of.BinaryWriter(str(tmp_path), chunk_size=3)
    for i in range(7):
        writer[i] = {"image": IMAGES[i], "label": i % 2}
    writer.done()
    writer.merge()
    samples = index(tmp_path)
    assert samples.labels.tolist() == [i % 2 for i in range(7)]
    assert [samples.reader().payload(i) for i in range(7)] == IMAGES
