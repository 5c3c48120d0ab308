from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sightline as sl
from sightline.errors import DataError
from sightline.formats import detect
from sightline.formats.lists import label_lists
from tests.sources import jpeg, write_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path, {f"{i}.jpg": jpeg(i) for i in range(4)})


def lines(folder: Path, *rows: dict[str, Any], name: str = "list.jsonl") -> Path:
    (folder / name).write_text("\n\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return folder / name


def shown(samples: sl.SampleTable) -> list[Any]:
    return [None if v is None else [(samples.classes.ids[e["id"]], e["state"]) for e in v]
            for v in samples.column("labels")]  # fmt: skip


def test_json_lines(folder: Path) -> None:
    file = lines(folder, {"file_name": "0.jpg", "label": 10, "split": "train", "patient": "a"},
                 {"file_name": "1.jpg", "label": 9, "split": "val"},
                 {"file_name": "2.jpg", "label": None, "split": "test"})  # fmt: skip
    for source in (file, folder):
        assert detect(source).name == "manifest"
        samples = sl.index(source)
        assert samples.classes.ids == ("9", "10")
        assert samples.column("label") == [1, 0, None]
        assert samples.column("split") == ["train", "val", "test"]
        assert samples.column("group_id") == ["patient:a", "1.jpg", "2.jpg"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"path": "0.jpg", "label": "a"}\nnonsense', "line 2 is not JSON"),
        ('{"path": "0.jpg", "label": "a"}\n[1]', "line 2 is a JSON list, wanted an object"),
        ("[" * 100_000, "line 1 is not JSON"),
        ('{"path": "0.jpg", "label": {"a": 1}}', r"label \{'a': 1\} in row 1 is not a class"),
        ('{"path": "0.jpg", "label": [["a"]]}', "wanted texts or whole numbers"),
        ('{"path": "0.jpg", "label": [0.5]}', r"label 0\.5"),
    ],
)
def test_lines_that_are_none(folder: Path, text: str, message: str) -> None:
    (folder / "list.jsonl").write_text(text)
    with pytest.raises(DataError, match=message):
        sl.index(folder / "list.jsonl")


def test_other_json_lines_beside_class_folders_are_left(tmp_path: Path) -> None:
    write_files(tmp_path, {"a/1.jpg": jpeg(1), "b/1.jpg": jpeg(2), "log.jsonl": b"started\n", "b.ndjson": b"\xff"})
    assert detect(tmp_path).name == "class folders"


def test_several_labels_as_lists_of_json_lines(folder: Path) -> None:
    samples = sl.index(lines(folder, {"path": "0.jpg", "label": ["dog", "cat", "dog"]}, {"path": "1.jpg", "label": []},
                             {"path": "2.jpg"}, {"path": "3.jpg", "label": "owl"}))  # fmt: skip
    assert samples.classes.ids == ("cat", "dog", "owl")
    assert samples.column("label") == [None] * 4
    assert shown(samples) == [[("dog", 1), ("cat", 1)], [], None, [("owl", 1)]]
    assert "1 rows without a label in list.jsonl" in samples.notes


@pytest.mark.parametrize("cell", ["dog;cat", "dog | cat", '["dog", "cat"]'])
def test_several_labels_as_text(folder: Path, cell: str) -> None:
    quoted = cell.replace('"', '""')
    (folder / "list.csv").write_text(f'path,labels\n0.jpg,"{quoted}"\n1.jpg,owl\n')
    assert shown(sl.index(folder / "list.csv")) == [[("dog", 1), ("cat", 1)], [("owl", 1)]]


def test_several_labels_in_parquet_by_number(folder: Path) -> None:
    pq.write_table(pa.table({"path": ["0.jpg", "1.jpg"], "labels": [[10, 2], [3]]}), folder / "list.parquet")
    samples = sl.index(folder / "list.parquet")
    assert samples.classes.ids == ("2", "3", "10")
    assert shown(samples) == [[("10", 1), ("2", 1)], [("3", 1)]]


def test_one_label_with_a_semicolon_stays_one(folder: Path) -> None:
    (folder / "list.csv").write_text("path,label\n0.jpg,a;b\n1.jpg,c|d\n2.jpg,[x]\n")
    samples = sl.index(folder / "list.csv")
    assert samples.classes.ids == ("[x]", "a;b", "c|d")
    assert samples.column("labels") == [None] * 3


def test_a_class_file_renumbers_lists(folder: Path) -> None:
    file = lines(folder, {"path": "0.jpg", "label": ["dog", "cat"]}, {"path": "1.jpg", "label": ["owl"]})
    (folder / "order.txt").write_text("owl\ndog\ncat\n")
    samples = sl.index(file, class_file=folder / "order.txt")
    assert shown(samples) == [[("dog", 1), ("cat", 1)], [("owl", 1)]]
    assert samples.column("labels")[1][0]["id"] == 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.none() | st.lists(st.text(min_size=1).map(str.strip).filter(bool), max_size=4), min_size=1))
def test_lists_survive_json_in_text(lists: list[list[str] | None]) -> None:
    cells = [None if v is None else json.dumps(v) for v in lists]
    want = None if all(v is None for v in lists) else [None if v is None else list(dict.fromkeys(v)) for v in lists]
    assert label_lists(cells, "label", "here") == want


def test_parts_of_one_image_are_samples_that_stay_together(folder: Path) -> None:
    text = "path,label,x0,y0,x1,y1\n0.jpg,a,0,0,4,5\n0.jpg,b,4,2.5,16,12\n1.jpg,a,,,,\n2.jpg,b,1,1,3,3\n"
    (folder / "list.csv").write_text(text)
    samples = sl.index(folder / "list.csv")
    assert samples.column("key") == ["0.jpg#0,0,4,5", "0.jpg#4,2.5,16,12", "1.jpg", "2.jpg#1,1,3,3"]
    assert samples.column("group_id") == ["image:0.jpg", "image:0.jpg", "image:1.jpg", "image:2.jpg"]
    whole = samples.reader().pixels(2).values.shape
    assert samples.reader().pixels(0).values.shape == (5, 4, 3)
    assert samples.reader().pixels(1).values.shape == (whole[0] - 2, whole[1] - 4, 3)


def test_crops_as_lists(folder: Path) -> None:
    rows = {"path": "0.jpg", "label": "a", "crop": [0, 0, 4, 5]}, {"path": "1.jpg", "label": "b"}
    samples = sl.index(lines(folder, *rows))
    assert samples.column("crop") == [[0, 0, 4, 5], None]
    (folder / "list.csv").write_text('path,label,crop\n0.jpg,a,"[0, 0, 4, 5]"\n1.jpg,b,\n')
    assert sl.index(folder / "list.csv").column("crop") == [[0, 0, 4, 5], None]


@pytest.mark.parametrize("crop", ["[5, 5, 2, 2]", "[1, 2, 3]", "nonsense", "[0, 0, NaN, 4]", "7", "{}"])
def test_a_crop_that_encloses_nothing(folder: Path, crop: str) -> None:
    (folder / "list.csv").write_text(f'path,label,crop\n0.jpg,a,"{crop}"\n1.jpg,b,\n')
    with pytest.raises(DataError, match=r"row 1 has the crop .* wanted x0, y0, x1, y1"):
        sl.index(folder / "list.csv")


def test_the_same_crop_twice(folder: Path) -> None:
    (folder / "list.csv").write_text("path,label,x0,y0,x1,y1\n0.jpg,a,0,0,4,5\n0.jpg,b,0,0,4,5\n")
    with pytest.raises(DataError, match="list all labels in one row"):
        sl.index(folder / "list.csv")
