"""DET and VID: states of classes, lists in numbers, frames grouped by their video."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from sightline.catalog import voc
from sightline.errors import DataError
from sightline.indexing import index
from tests.sources import jpeg, write_files

MAP = b"n02691156 1 airplane\nn02419796 2 antelope\nn02672831 3 accordion\n"
DET_WNIDS = ("n02691156", "n02419796", "n02672831")


def xml(*objects: tuple[str, int, int, int, int], more: str = "") -> bytes:
    parts = "".join(
        f"<object>{more}<name>{n}</name><bndbox><xmax>{x1}</xmax><xmin>{x0}</xmin><ymax>{y1}</ymax><ymin>{y0}</ymin>"
        "</bndbox></object>" for n, x0, y0, x1, y1 in objects
    )  # fmt: skip
    return f"<annotation><size><width>16</width><height>12</height></size>{parts}</annotation>".encode()


def detection(folder: Path) -> Path:
    names = ["train/ILSVRC2013_train/n02691156/n02691156_7", "train/ILSVRC2013_train_extra0/ILSVRC2013_train_00000001",
             "val/ILSVRC2012_val_00000002", "val/ILSVRC2012_val_00000001", "val/ILSVRC2012_val_00000003",
             "test/ILSVRC2016_test_00000001"]  # fmt: skip
    write_files(folder, {f"Data/DET/{n}.JPEG": jpeg(i) for i, n in enumerate(names)})
    return write_files(folder, {
        "map_det.txt": MAP,
        "ImageSets/DET/train_1.txt": b"ILSVRC2013_train/n02691156/n02691156_7 1\n"
        b"ILSVRC2013_train_extra0/ILSVRC2013_train_00000001 -1\n",
        "ImageSets/DET/train_3.txt": b"ILSVRC2013_train/n02691156/n02691156_7 0\n",
        "ImageSets/DET/train_part.txt": b"whatever 9\n",
        "ImageSets/DET/val.txt": b"ILSVRC2012_val_00000001 1\nILSVRC2012_val_00000002 2\nILSVRC2012_val_00000003 3\n",
        "ImageSets/DET/test.txt": b"ILSVRC2016_test_00000001 1\n",
        "Annotations/DET/train/ILSVRC2013_train/n02691156/n02691156_7.xml": xml(("n02691156", 1, 2, 9, 8)),
        "Annotations/DET/val/ILSVRC2012_val_00000001.xml": xml(("n02672831", 0, 0, 4, 4), ("n02672831", 5, 5, 9, 9)),
        "Annotations/DET/val/ILSVRC2012_val_00000002.xml": xml(),
        "Annotations/DET/val/ILSVRC2012_val_00000003.xml": b"<annotation>",
    })  # fmt: skip


def test_states_of_det_are_kept(tmp_path: Path) -> None:
    """Verified absent, partly there and never looked for are three things."""
    samples = index(detection(tmp_path / "ILSVRC"))
    assert samples.name == "ilsvrc-det"
    assert samples.classes.ids == DET_WNIDS  # the kit's numbers, not the order of wnids
    assert samples.classes.names == ("airplane", "antelope", "accordion")
    assert set(samples.column("label")) == {None}
    states = {k: None if v is None else {e["id"]: e["state"] for e in v}
              for k, v in zip(samples.column("key"), samples.column("labels"), strict=True)}  # fmt: skip
    assert states == {
        "train/ILSVRC2013_train/n02691156/n02691156_7.JPEG": {0: 1, 2: 0},
        "train/ILSVRC2013_train_extra0/ILSVRC2013_train_00000001.JPEG": {0: -1},
        "val/ILSVRC2012_val_00000001.JPEG": {2: 1},
        "val/ILSVRC2012_val_00000002.JPEG": {},
        "val/ILSVRC2012_val_00000003.JPEG": None,
        "test/ILSVRC2016_test_00000001.JPEG": None,
    }
    assert list(states) == samples.column("key")
    boxes = [len(b) if b is not None else None for b in samples.column("boxes")]
    assert boxes == [1, None, 2, 0, None, None]
    assert samples.column("groups")[0] == [{"kind": "image", "id": "n02691156_7"}]
    assert len(samples.notes) == 2
    assert index(tmp_path).digest == samples.digest


@pytest.mark.parametrize(("name", "content", "message"), [
    ("map_det.txt", None, "names its classes by number, and map_det.txt"),
    ("map_det.txt", b"n02691156 2 airplane\n", "numbered from 1"),
    ("ImageSets/DET/train_4.txt", b"a 1\n", "class 4 is not in map_det.txt, which has 3"),
    ("ImageSets/DET/train_1.txt", b"a 2\n", "has the state '2'"),
    ("ImageSets/DET/train_1.txt", b"../../etc/passwd 1\n", "line 1 is"),
    ("ImageSets/DET/val.txt", b"one two three\n", "line 1 is"),
])  # fmt: skip
def test_damaged_lists_of_det(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    root = detection(tmp_path / "det")
    (root / name).unlink(missing_ok=True)
    if content is not None:
        (root / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        index(root)


def video(folder: Path) -> Path:
    """Two snippets of one video, one of another, in two parts; val without parts; a snippet without annotations."""
    snippets = {
        "train/ILSVRC2015_VID_train_0000/ILSVRC2015_train_00139005": 12,
        "train/ILSVRC2015_VID_train_0001/ILSVRC2015_train_00139006": 2,
        "train/ILSVRC2015_VID_train_0001/ILSVRC2015_train_00140000": 1,
        "val/ILSVRC2015_val_00000001": 2, "test/ILSVRC2015_test_00000000": 1,
    }  # fmt: skip
    frames = [f"{s}/{i:06d}" for s, n in snippets.items() for i in range(n)]
    write_files(folder, {f"Data/VID/{f}.JPEG": jpeg(0) for f in frames})
    notes = "<trackid>3</trackid><occluded>1</occluded><generated>1</generated>"
    boxes = xml(("n02691156", 1, 2, 9, 8), ("n99999999", 1, 2, 9, 8), more=notes)
    return write_files(folder, {f"Annotations/VID/{f}.xml": boxes for f in frames if not f.startswith("test")})


def test_frames_of_a_video_stay_together(tmp_path: Path) -> None:
    """Snippets are cut from videos: grouping by snippet would put one video into train and test."""
    samples = index(video(tmp_path))
    assert samples.name == "ilsvrc-vid"
    assert len(samples.classes) == 30
    by_group = defaultdict(set)
    for key, group in zip(samples.column("key"), samples.column("group_id"), strict=True):
        by_group[group].add(key.split("/")[-2])
    assert by_group["video:ILSVRC2015_train_00139"] == {"ILSVRC2015_train_00139005", "ILSVRC2015_train_00139006"}
    assert len(by_group) == 4
    airplane = samples.classes.index["n02691156"]
    assert [e["id"] for e in samples.column("labels")[0]] == [airplane]
    box = samples.column("boxes")[0][0]
    assert (box["track"], box["flags"]) == (3, voc.OCCLUDED | voc.INTERPOLATED)
    assert samples.column("labels")[-1] is None
    assert samples.notes == ("1 frames without an annotation",)


def test_every_tenth_frame(tmp_path: Path) -> None:
    samples = index(f"{video(tmp_path)}#every-10")
    first = [k for k in samples.column("key") if "00139005" in k]
    assert [k[-11:-5] for k in first] == ["000000", "000010"]


def test_a_folder_that_is_no_snippet(tmp_path: Path) -> None:
    write_files(video(tmp_path), {"Data/VID/val/mine/000000.JPEG": jpeg()})
    with pytest.raises(DataError, match="no snippet of VID"):
        index(tmp_path)


@pytest.mark.parametrize(("data", "message"), [
    (b"<annotation><size><width>x</width><height>1</height></size></annotation>", "no number"),
    (b"<annotation/>", "no number"), (b"<annotation>", "not readable XML"), (b"", "not readable XML"),
    (b"<annotation><size><width>0</width><height>1</height></size></annotation>", "0 × 1"),
    (b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><annotation/>", "document type"),
    ("<?xml version='1.0' encoding='utf-16'?><!DOCTYPE a [<!ENTITY x 'y'>]><a/>".encode("utf-16"), "document type"),
    (b"<a>" * 99, "nested"), (b" " * (voc.MAX_BYTES + 1), "that is no annotation"),
])  # fmt: skip
def test_what_is_no_annotation(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        voc.parse(data, "x.xml")


def test_boxes_refer_to_the_annotated_size() -> None:
    found = voc.parse(xml(("a", -4, 3, 20, 9), ("b", 9, 3, 9, 9), ("c", 5, 5, 1, 9)), "x.xml")
    assert found.dropped == 2
    assert found.objects[0].box == (0.0, 0.25, 1.0, 0.75)
    entry = found.objects[0].entry(7, 32, 24)  # an image twice the size
    assert (entry["x0"], entry["y0"], entry["x1"], entry["y1"]) == (0, 6, 32, 18)
