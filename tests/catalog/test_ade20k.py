"""ADE20K: scenes that are none, rare or unseen, masks that count pixels, and descriptions that are not UTF-8."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.errors import DataError
from sightline.indexing import index
from sightline.samples import SampleTable
from tests.sources import encoded, jpeg, write_files

SCENES = {
    "ADE_train_00000001": "airport_terminal", "ADE_train_00000002": "street", "ADE_train_00000003": "misc",
    "ADE_val_00000001": "street", "ADE_val_00000002": "zoo",
}  # fmt: skip


def mask(pixels: Mapping[int, int], size: int = 2000) -> bytes:
    """A grey PNG with so many pixels of each number; the others are 0."""
    values = np.zeros(size, np.uint8)
    start = 0
    for number, count in pixels.items():
        values[start : start + count] = number
        start += count
    return encoded(Image.fromarray(values.reshape(40, -1)), "PNG")


def folder_of(stem: str) -> str:
    return {"train": "training", "val": "validation", "test": "testing"}[stem.split("_")[1]]


def parsing(folder: Path, scenes: Mapping[str, str] = SCENES) -> Path:
    lines = "".join(f"{stem} {scene}\n" for stem, scene in reversed(scenes.items()))
    names = "Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t.2\t9\t9\t1\twall\n2\t.1\t9\t9\t1\tbuilding, edifice\n"
    files = {"sceneCategories.txt": lines.encode(), "objectInfo150.txt": names.encode()}
    files |= {f"images/{folder_of(s)}/{s}.jpg": jpeg(i) for i, s in enumerate(scenes)}
    files |= {f"annotations/{folder_of(s)}/{s}.png": mask({1: 1000, 150: 2, 2: 1}) for s in scenes}
    return write_files(folder, files)


def scenes_of(samples: SampleTable) -> list[str | None]:
    return [None if i is None else samples.classes.ids[i] for i in samples.column("label")]


def test_scenes_are_classes_and_misc_is_none(tmp_path: Path) -> None:
    samples = index(parsing(tmp_path))
    assert samples.column("key") == [
        "train/ADE_train_00000001.jpg", "train/ADE_train_00000002.jpg", "train/ADE_train_00000003.jpg",
        "val/ADE_val_00000001.jpg", "val/ADE_val_00000002.jpg",
    ]  # fmt: skip
    assert (samples.classes.ids, samples.classes.policy) == (("airport_terminal", "street", "zoo"), "lexicographic")
    assert scenes_of(samples) == ["airport_terminal", "street", None, "street", "zoo"]
    assert "1 photographs of the scene misc are unlabelled" in samples.notes
    assert "1 scenes have no training photograph" in samples.notes
    assert samples.is_ok.all()


def test_things_fill_a_share_of_the_pixels(tmp_path: Path) -> None:
    samples = index(parsing(tmp_path))
    entries = samples.column("labels")[0]
    assert [(e["id"], e["state"]) for e in entries] == [(0, 1), (1, 0), (149, 1)]  # 0.5, 0.0005 and 0.001 of them
    assert {(e["space"], e["source"]) for e in entries} == {("objects", "mask")}
    space = samples.spaces["objects"]
    assert (len(space), space.ids[149], space.names[:2]) == (150, "150", ("wall", "building, edifice"))


@pytest.mark.parametrize(
    "data",
    [b"", b"no image", mask({1: 5})[:60], mask({255: 5}), encoded(Image.new("RGB", (4, 4)), "PNG"),
     encoded(Image.new("I;16", (4, 4)), "PNG")],
    ids=["empty", "text", "cut", "255", "colour", "16 bits"],
)  # fmt: skip
def test_a_damaged_mask_says_nothing(tmp_path: Path, data: bytes) -> None:
    parsing(tmp_path)
    write_files(tmp_path, {"annotations/training/ADE_train_00000002.png": data})
    samples = index(tmp_path)
    assert [v is None for v in samples.column("labels")] == [False, True, False, False, False]
    assert "1 masks are damaged and say nothing of what is there" in samples.notes
    assert samples.is_ok.all()


def test_without_masks_and_names(tmp_path: Path) -> None:
    parsing(tmp_path)
    (tmp_path / "annotations").rename(tmp_path / "elsewhere")
    (tmp_path / "objectInfo150.txt").unlink()
    samples = index(tmp_path)
    assert samples.column("labels") == [None] * 5
    assert samples.spaces["objects"].names[1] == "2"


def test_images_that_only_one_side_knows(tmp_path: Path) -> None:
    parsing(tmp_path)
    (tmp_path / "images/training/ADE_train_00000001.jpg").unlink()
    more = ("training/ADE_train_00000009.jpg", "testing/ADE_test_00000001.jpg")
    write_files(tmp_path / "images", {name: jpeg() for name in more})
    samples = index(tmp_path)
    assert samples.column("reason")[0] == "file is missing: ADE_train_00000001.jpg"
    assert scenes_of(samples)[3] is None
    assert samples.column("key")[-1] == "test/ADE_test_00000001.jpg"


def test_frequent_scenes_alone(tmp_path: Path) -> None:
    scenes = {f"ADE_train_{i:08d}": ("street", "beach")[i % 2] for i in range(20)} | {"ADE_train_00000030": "zoo",
              "ADE_val_00000001": "street", "ADE_val_00000002": "attic", "ADE_val_00000003": "misc"}  # fmt: skip
    samples = index(f"{parsing(tmp_path, scenes)}#frequent")
    assert samples.classes.ids == ("beach", "street")
    assert scenes_of(samples)[-4:] == [None, "street", None, None]
    assert {"2 photographs of 2 rare scenes are unlabelled", "1 photographs of the scene misc are unlabelled"} == set(
        samples.notes
    )
    with pytest.raises(DataError, match="0 scenes with 10 training"):
        index(f"{parsing(tmp_path / 'few')}#frequent")


@pytest.mark.parametrize("line", ["ADE_train_00000001", "../x street"])
def test_a_list_that_is_not_one(tmp_path: Path, line: str) -> None:
    parsing(tmp_path)
    (tmp_path / "sceneCategories.txt").write_text(f"{line}\n")
    with pytest.raises(DataError, match="line 1 is"):
        index(tmp_path)


def test_names_need_their_columns(tmp_path: Path) -> None:
    parsing(tmp_path)
    (tmp_path / "objectInfo150.txt").write_text("Idx;Ratio;Name\n1;.2;wall\n")
    with pytest.raises(DataError, match="with tabs between"):
        index(tmp_path)


def thing(number: int, name: str, x: Any = (1, 9), y: Any = (2, 8), **more: Any) -> dict[str, Any]:
    return {"id": 0, "name": name, "name_ndx": number, "hypernym": [name], "parts": {"ispart": 0}, "occluded": "no",
            "polygon": {"x": x, "y": y}, "crop": 0, **more}  # fmt: skip


def description(scene: Any, *things: dict[str, Any]) -> bytes:
    about = {"filename": "../../elsewhere.jpg", "folder": "x", "imsize": [40, 60, 3], "scene": scene, "object": things}
    return json.dumps({"annotation": about}, ensure_ascii=False).encode()


STREET = ["outdoor", "urban", "street"]


def full(folder: Path, **files: bytes) -> Path:
    """The full set with a description under each name; train_1 is ADE_train_1."""
    for name, data in files.items():
        stem = f"images/ADE/{folder_of('ADE_' + name)}/urban/street/ADE_{name}"
        write_files(folder, {f"{stem}.json": data, f"{stem}.jpg": jpeg(), f"{stem}_seg.png": b"never read"})
    return write_files(folder, {"index_ade20k.pkl": b"cos\nsystem\n(S'false'\ntR."})


def test_the_full_set_names_scene_and_objects(tmp_path: Path) -> None:
    samples = index(full(
        tmp_path, train_1=description(STREET, thing(976, "door"), thing(401, "car", occluded="yes")),
        train_2=description(["indoor", "house", "attic"]), val_1=description(STREET, thing(401, "car")),
    ))  # fmt: skip
    assert samples.column("key") == ["train/ADE_train_1.jpg", "train/ADE_train_2.jpg", "val/ADE_val_1.jpg"]
    assert scenes_of(samples) == ["outdoor/urban/street", "indoor/house/attic", "outdoor/urban/street"]
    space = samples.spaces["objects"]
    assert (space.ids, space.names, space.policy) == (("401", "976"), ("car", "door"), "numeric")
    assert [[e["id"] for e in v] for v in samples.column("labels")] == [[0, 1], [], [0]]
    assert json.loads(samples.column("extra")[0]) == {"scene": STREET}
    assert samples.column("image")[0]["path"] == "images/ADE/training/urban/street/ADE_train_1.jpg"
    assert samples.name == "ade20k-full"


def test_objects_have_boxes_and_parts_are_none(tmp_path: Path) -> None:
    things = [thing(5, "lid", parts={"ispart": 1}), thing(7, "pot", occluded="yes"), thing(8, "dot", x=[3], y=4),
              thing(9, "odd", x="?", occluded=[]), thing(10, "cup")]  # fmt: skip
    samples = index(full(tmp_path, train_1=description(STREET, *things), train_2=description(["a"])))
    fields = ("space", "id", "x0", "y0", "x1", "y1", "flags")
    assert [[box[c] for c in fields] for box in samples.column("boxes")[0]] == [
        ["objects", 0, 1, 2, 9, 8, 8], ["objects", 3, 1, 2, 9, 8, 0],
    ]  # fmt: skip
    assert samples.spaces["objects"].ids == ("7", "8", "9", "10")


def test_a_description_that_is_not_utf8(tmp_path: Path) -> None:
    latin = description(["outdoor", "caf\xe9"]).decode().encode("latin-1")
    samples = index(full(tmp_path, train_1=latin, train_2=description(["a"])))
    assert scenes_of(samples)[0] == "outdoor/caf\xe9"
    assert "1 descriptions are not UTF-8 and were read as Latin-1" in samples.notes


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"annotation": 5}', description(STREET, {"name": "x"}),
                                  description(STREET, thing(True, "x"))])  # fmt: skip
def test_a_broken_description_is_a_row(tmp_path: Path, data: bytes) -> None:
    samples = index(full(tmp_path, train_1=data, train_2=description(["a"]), train_3=description(["b"])))
    assert samples.column("reason")[0].startswith("its description cannot be read: ADE_train_1.json ")
    assert samples.is_ok.tolist() == [False, True, True]
    assert samples.column("labels")[0] is None


def test_a_full_set_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "images" / "ADE" / "training").mkdir(parents=True)
    with pytest.raises(DataError, match="no descriptions"):
        index(tmp_path)
