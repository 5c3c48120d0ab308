"""MDS: columns at their places, splits in folders, damage, compression; what the library itself writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.errors import DataError
from sightline.formats import Attributes, Listing, mds
from sightline.indexing import index
from tests.formats.offset_shards import write_mds
from tests.sources import jpeg, picture

IMAGES = [jpeg(i) for i in range(8)]
COLUMNS = {"image": "bytes", "label": "int", "key": "str", "about": "json", "u": "uint8"}


def rows(*numbers: int) -> list[dict[str, Any]]:
    return [{"image": IMAGES[i], "label": i % 2, "key": f"é.{i + 50}.jpg", "about": "{}", "u": i} for i in numbers]


def read(path: Path, **attributes: Any) -> Listing:
    assert mds.is_at(path)
    return mds.read(path, Attributes(**attributes))


def test_images_keys_and_labels_come_back(tmp_path: Path) -> None:
    write_mds(tmp_path / "val", COLUMNS, rows(5, 6, 7))
    samples = index(write_mds(tmp_path / "train", COLUMNS, rows(0, 1, 2, 3, 4)).parent)
    assert samples.column("key")[0] == "train/é.50.jpg"
    assert samples.column("split") == ["train"] * 5 + ["val"] * 3
    assert samples.labels.tolist() == [i % 2 for i in range(8)]
    assert [samples.reader().payload(i) for i in range(8)] == IMAGES
    assert set(samples.column("status")) == {"ok"}


@pytest.mark.parametrize(
    ("text", "labels"),
    [("cat\ndog\n", ["cat", "dog"]), ("cat\ncat\n", ["0", "1"]), ("cat\n", ["0", "1"]), (None, ["0", "1"])],
)
def test_names_beside_are_taken_where_they_fit(tmp_path: Path, text: str | None, labels: list[str]) -> None:
    write_mds(tmp_path, COLUMNS, rows(0, 1))
    if text is not None:
        (tmp_path / "labels.txt").write_text(text)
    assert read(tmp_path).labels == labels


@pytest.mark.parametrize("encoding", ["pil", "ndarray:uint8:5,4,3"])
def test_plain_pixels(tmp_path: Path, encoding: str) -> None:
    images = [picture(5, 4, seed=i) for i in range(4)]
    some = [{"x": image, "y": "ab"[i % 2]} for i, image in enumerate(images)]
    write_mds(tmp_path, {"x": encoding, "y": "str"}, some)
    with pytest.raises(DataError, match="has no labels; it has: y"):
        read(tmp_path)
    samples = index(write_mds(tmp_path, {"x": encoding, "class": "str"}, [{**r, "class": r["y"]} for r in some]))
    for i, image in enumerate(images):
        np.testing.assert_array_equal(samples.reader().pixels(i).values, image)


def test_pixels_that_do_not_fill_their_image_are_a_row(tmp_path: Path) -> None:
    some = [{"image": picture(5, 4), "label": i} for i in range(3)]
    write_mds(tmp_path, {"image": "pil", "label": "int"}, some)
    data = bytearray((tmp_path / "shard.00000.mds").read_bytes())
    at = data.index(b"RGB", data.index(b"RGB") + 1)
    data[at : at + 3] = b"YCC"
    data[at - 12 : at - 4] = bytes(8)
    (tmp_path / "shard.00000.mds").write_bytes(data)
    reasons = read(tmp_path).reasons
    assert reasons is not None
    assert (reasons[0], reasons[2]) == (None, None)
    assert str(reasons[1]).startswith("pixels of the mode 'YCC'")


def test_sizes_that_do_not_add_up_are_a_row(tmp_path: Path) -> None:
    write_mds(tmp_path, COLUMNS, rows(0, 2, 3))
    file = tmp_path / "shard.00000.mds"
    data = bytearray(file.read_bytes())
    second = int.from_bytes(data[8:12], "little")
    data[second : second + 4] = b"\xff\xff\xff\x7f"
    file.write_bytes(data)
    samples = index(tmp_path)
    assert samples.column("status") == ["ok", "unreadable", "ok"]
    assert samples.column("reason")[1] == "the sizes of its columns do not add up"
    assert samples.column("label")[1] is None


def test_an_index_merged_from_those_of_folders(tmp_path: Path) -> None:
    merged = []
    for folder, some in (("train/0", rows(0, 1)), ("train/1", rows(2)), ("val", rows(3))):
        write_mds(tmp_path / folder, COLUMNS, some)
        about = json.loads((tmp_path / folder / "index.json").read_text())["shards"]
        for shard in about:
            shard["raw_data"]["basename"] = f"{folder}/{shard['raw_data']['basename']}"
        merged += about
        (tmp_path / folder / "index.json").unlink()
    (tmp_path / "index.json").write_text(json.dumps({"shards": merged, "version": 2}))
    listing = read(tmp_path)
    assert listing.splits == ["train"] * 3 + ["val"]
    assert listing.keys == ["train/é.50.jpg", "train/é.51.jpg", "train/é.52.jpg", "val/é.53.jpg"]


def _set(index_file: Path, **values: Any) -> None:
    about = json.loads(index_file.read_text())
    about["shards"][0] |= values
    index_file.write_text(json.dumps(about))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"raw_data": {"basename": "../out.mds", "bytes": 1}}, "lies outside its folder"),
        ({"raw_data": {"basename": "/etc/passwd", "bytes": 1}}, "lies outside its folder"),
        ({"raw_data": {"basename": "gone.mds", "bytes": 1}}, "is missing, with 3 samples"),
        ({"raw_data": {"basename": "gone.mds", "bytes": 1}, "zip_data": {"basename": "gone.mds.zstd"},
          "compression": "zstd"}, "compressed shards"),
        ({"samples": 2}, "3 samples, its index says 2"),
        ({"column_names": ["image"]}, "does not describe MDS shards"),
        ({"column_encodings": ["json", "pkl", "str", "int", "uint8"]}, "no columns that could be the image"),
        ({"format": "jsonl"}, "'jsonl'"),
    ],
)  # fmt: skip
def test_an_index_that_does_not_fit(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    write_mds(tmp_path, COLUMNS, rows(0, 1, 2, 3))
    _set(tmp_path / "index.json", **values)
    with pytest.raises(DataError, match=message):
        read(tmp_path)


@pytest.mark.parametrize("damage", [b"", b"\3\0\0\0", b"\3\0\0\0" + b"\xff" * 16 + bytes(2000)])
def test_damaged_shards(tmp_path: Path, damage: bytes) -> None:
    write_mds(tmp_path, COLUMNS, rows(0, 1, 2))
    (tmp_path / "shard.00000.mds").write_bytes(damage)
    with pytest.raises(DataError, match="its index says"):
        read(tmp_path)
    _set(tmp_path / "index.json", raw_data={"basename": "shard.00000.mds", "bytes": len(damage)})
    with pytest.raises(DataError, match="is damaged"):
        read(tmp_path)


@pytest.mark.parametrize("text", ['{"shards": [{"format": "mds"}', '["shards", "mds"]', "[" * 20000 + '"shards" "mds"'])
def test_damaged_indexes(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(DataError, match=r"index\.json"):
        read(tmp_path)


def test_another_tools_index_is_left(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text('{"files": []}')
    assert not mds.is_at(tmp_path)


def test_what_streaming_writes(tmp_path: Path) -> None:
    streaming = pytest.importorskip("streaming")
    with streaming.MDSWriter(out=str(tmp_path / "train"), columns=COLUMNS, size_limit=3000) as writer:
        for row in rows(*range(8)):
            writer.write({**row, "about": {}})
    listing = read(tmp_path)
    assert len(set(listing.images["path"])) > 1
    assert listing.labels == [str(i % 2) for i in range(8)]
    assert [index(tmp_path).reader().payload(i) for i in range(8)] == IMAGES
