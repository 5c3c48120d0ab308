"""Hub Parquet: splits, shards, names of rows and of classes, and damage."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sightline.errors import DataError
from sightline.formats import Attributes, Listing, hub_parquet
from sightline.indexing import index
from tests.sources import UNREADABLE, jpeg, write_hub

IMAGES = [jpeg(i) for i in range(10)]


def read(path: Path, **attributes: object) -> Listing:
    assert hub_parquet.is_at(path)
    return hub_parquet.read(path, Attributes(**attributes))  # type: ignore[arg-type]


def test_splits_and_shards_in_order(tmp_path: Path) -> None:
    write_hub(tmp_path / "data/test-00000-of-00001.parquet", IMAGES[:2], [0, 1])
    write_hub(tmp_path / "data/train-00001-of-00002.parquet", IMAGES[7:], [1, 0, 1])
    write_hub(tmp_path / "data/train-00000-of-00002.parquet", IMAGES[2:7], [0, 1, 0, 1, 0])
    samples = index(tmp_path)
    assert samples.column("key") == [*(f"train/{i:05d}" for i in range(8)), "test/00000", "test/00001"]
    assert samples.labels.tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]
    assert [samples.reader().payload(i) for i in range(10)] == [*IMAGES[2:], *IMAGES[:2]]


def test_a_folder_beside_the_files_does_not_confuse(tmp_path: Path) -> None:
    write_hub(tmp_path / "plain_text/train.parquet", IMAGES, [0, 1] * 5, column="img")
    (tmp_path / "ground_truth").mkdir()
    (tmp_path / "ground_truth/ids.csv").write_text("path,label\n1,2\n")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "ground_truth/facts.parquet")
    assert len(read(tmp_path).keys) == 10


def test_the_file_alone(tmp_path: Path) -> None:
    file = write_hub(tmp_path / "birds.parquet", IMAGES, [0, 1] * 5)
    found = read(file)
    assert found.name == "birds"
    assert found.keys[0] == "00000"
    assert set(found.splits) == {None}


def test_a_folder_for_each_split(tmp_path: Path) -> None:
    write_hub(tmp_path / "train/0000.parquet", IMAGES[:6], [0, 1] * 3)
    write_hub(tmp_path / "test/0000.parquet", IMAGES[6:], [0, 1] * 2)
    assert set(read(tmp_path).splits) == {"train", "test"}


def test_a_row_is_called_by_its_path_where_that_says_more_than_its_number(tmp_path: Path) -> None:
    wnids = [f"n0144_{i * 7}.JPEG" for i in range(10)]
    assert read(write_hub(tmp_path / "train.parquet", IMAGES, [0, 1] * 5, paths=wnids)).keys[1] == "train/n0144_7.JPEG"
    numbered = [f"train_{i:05d}.jpg" for i in range(10)]
    assert read(write_hub(tmp_path / "b/train.parquet", IMAGES, [0, 1] * 5, paths=numbered)).keys[1] == "train/00001"
    repeated = ["same.jpg"] * 10
    assert read(write_hub(tmp_path / "c/train.parquet", IMAGES, [0, 1] * 5, paths=repeated)).keys[1] == "train/00001"


def test_class_names_of_the_hub(tmp_path: Path) -> None:
    about = {"info": {"features": {"label": {"names": ["owl", "crow"], "_type": "ClassLabel"}}}}
    samples = index(write_hub(tmp_path / "a.parquet", IMAGES, [0, 1] * 5, metadata={"huggingface": json.dumps(about)}))
    assert samples.classes.ids == ("owl", "crow")  # the published order, not the alphabet
    assert samples.labels[:2].tolist() == [0, 1]
    with pytest.raises(DataError, match="label 2, but names only 2"):
        index(write_hub(tmp_path / "b.parquet", IMAGES, [0, 2] * 5, metadata={"huggingface": json.dumps(about)}))


def test_minus_one_and_null_are_unlabelled(tmp_path: Path) -> None:
    found = read(write_hub(tmp_path / "a.parquet", IMAGES, [-1, None, *[0, 1] * 4]))
    assert found.labels[:4] == [None, None, "0", "1"]


def test_plain_binary_columns_too(tmp_path: Path) -> None:
    pq.write_table(pa.table({"photo": pa.array(IMAGES, pa.binary()), "class": ["a", "b"] * 5}), tmp_path / "x.parquet")
    samples = index(tmp_path / "x.parquet")
    assert samples.classes.ids == ("a", "b")
    assert samples.reader().payload(3) == IMAGES[3]


def test_group_columns(tmp_path: Path) -> None:
    file = write_hub(tmp_path / "a.parquet", IMAGES, [0, 1] * 5, patient=[str(i // 2) for i in range(10)])
    found = read(file)
    assert found.groups is not None
    assert found.groups[3] == [("patient", "1")]
    assert "grouped by the column 'patient'" in found.notes
    with pytest.raises(DataError, match="no column 'site'"):
        read(file, groups=("site",))


def test_unreadable_rows_are_listed(tmp_path: Path) -> None:
    odd = [data for data, _ in UNREADABLE.values()]
    samples = index(write_hub(tmp_path / "a.parquet", [*IMAGES, *odd, None], [0, 1] * 5 + [0] * 5))
    assert samples.is_ok.tolist() == [True] * 10 + [False] * 5
    assert samples.column("reason")[-1] == "no bytes in this row"


def test_a_damaged_row_group_costs_its_rows_alone(tmp_path: Path) -> None:
    file = write_hub(tmp_path / "a.parquet", IMAGES, [0, 1] * 5, row_group_size=5)
    column = pq.ParquetFile(file).metadata.row_group(1).column(0)
    data = bytearray(file.read_bytes())
    data[column.data_page_offset : column.data_page_offset + 64] = b"\xff" * 64
    file.write_bytes(bytes(data))
    samples = index(file)
    assert samples.is_ok.tolist() == [True] * 5 + [False] * 5
    assert samples.column("reason")[7].startswith("damaged Parquet file")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    file = write_hub(tmp_path / "a.parquet", IMAGES, [0, 1] * 5)
    file.write_bytes(file.read_bytes()[:-20])
    for path in (file, tmp_path):
        with pytest.raises(DataError, match=r"a\.parquet is not a readable Parquet file"):
            index(path)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a/x.parquet": {}, "b/x.parquet": {}}, "several datasets"),
        ({"train.parquet": {}, "more.parquet": {}}, "names no split"),
    ],
)
def test_refused_with_a_reason(tmp_path: Path, files: dict[str, dict[str, object]], message: str) -> None:
    for name in files:
        write_hub(tmp_path / name, IMAGES, [0, 1] * 5)
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_a_missing_label_column_is_named(tmp_path: Path) -> None:
    kind = pa.struct([("bytes", pa.binary())])
    images = pa.array([{"bytes": b} for b in IMAGES], kind)
    pq.write_table(pa.table({"image": images, "x": range(10)}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="no column for the label"):
        index(tmp_path)
