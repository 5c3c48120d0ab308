"""COCO: ids with gaps, crowds, images of nothing, boxes of nothing, years, and files that are not what they say."""

from __future__ import annotations

import ast
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sightline.catalog import datasets
from sightline.errors import DataError
from sightline.indexing import index
from sightline.samples import SampleTable
from tests.sources import jpeg, write_files

CARD = datasets("coco")
CATEGORIES = [{"id": int(i), "name": n, "supercategory": "x"} for i, n in CARD.class_names.items()]


def image(number: int, **more: Any) -> dict[str, Any]:
    return {"id": number, "file_name": f"{number:012d}.jpg", "width": 60, "height": 40, "license": 1, **more}


def instance(number: int, of: int, category: int, bbox: list[float], crowd: int = 0) -> dict[str, Any]:
    outline: Any = {"counts": [3, 4], "size": [40, 60]} if crowd else [[0, 0, 1, 1, 2, 2]]
    return {"id": number, "image_id": of, "category_id": category, "bbox": bbox, "area": 1.0, "iscrowd": crowd,
            "segmentation": outline}  # fmt: skip


VAL = {
    "images": [image(9), image(2, flickr_url="http://farm/2_z.jpg"), image(5)],
    "annotations": [
        instance(30, 9, 90, [10.5, 5.25, 20.0, 20.0]), instance(7, 9, 1, [0, 0, 30, 16]),
        instance(31, 2, 18, [0, 0, 60, 40], crowd=1), instance(33, 2, 1, [-3, -3, 90, 90]),
        instance(32, 2, 13, [5, 5, 0, 0]), instance(34, 2, 27, [5, 5, 15.9, 30]),
    ],
    "categories": CATEGORIES[::-1],
    "licenses": [{"id": 1, "name": "Attribution License", "url": "x"}],
}  # fmt: skip
CAPTIONS = {
    "images": VAL["images"],
    "annotations": [{"id": i, "image_id": of, "caption": text} for i, of, text in
                    [(4, 2, "A dog.\n"), (3, 2, "Dogs!"), (5, 9, "A toothbrush \ud83e.")]],
}  # fmt: skip


def coco(folder: Path, **documents: Any) -> Path:
    """A folder with annotation files and an image for each that they list."""
    for name, document in documents.items():
        write_files(folder, {f"annotations/{name}.json": json.dumps(document).encode()})
        where = name.rpartition("_")[2]
        listed = document.get("images", []) if isinstance(document, dict) else []
        write_files(folder, {f"{where}/{i['file_name']}": jpeg(i["id"], 40, 60) for i in listed})
    return folder


@pytest.fixture
def val(tmp_path: Path) -> Path:
    return coco(tmp_path / "coco", instances_val2017=VAL, captions_val2017=CAPTIONS)


def shown(samples: SampleTable, row: int, state: int = 1) -> list[str]:
    entries = samples.column("labels")[row]
    return [samples.classes.names[e["id"]] for e in entries if e["state"] == state]


def test_eighty_classes_with_the_ids_of_the_source(val: Path) -> None:
    samples = index(val)
    assert (len(samples.classes), samples.classes.policy, samples.name) == (80, "official", "coco")
    assert (samples.classes.ids[0], samples.classes.ids[-1], samples.classes.names[-1]) == ("1", "90", "toothbrush")
    assert "12" not in samples.classes.index
    assert samples.column("key") == [f"val/{n:012d}.jpg" for n in (2, 5, 9)]  # by image id
    assert set(samples.column("split")) == {"val"}
    assert samples.is_ok.all()


def test_names_are_those_of_torchvision() -> None:
    found = importlib.util.find_spec("torchvision")
    if found is None:
        pytest.skip("torchvision, whose list of names is read, is not installed")
    places = [Path(p) for p in found.submodule_search_locations or []]  # read by path: importing it imports torch
    tree = ast.parse((places[0] / "models" / "_meta.py").read_text())
    values = {t.id: ast.literal_eval(a.value) for a in tree.body if isinstance(a, ast.Assign) for t in a.targets
              if isinstance(t, ast.Name)}  # fmt: skip
    listed = {i: n for i, n in enumerate(values["_COCO_CATEGORIES"]) if i and n != "N/A"}
    assert {int(i): n for i, n in CARD.class_names.items()} == listed


def test_a_crowd_is_present_and_the_rest_is_seen_to_be_absent(val: Path) -> None:
    samples = index(val)
    assert shown(samples, 0) == ["person", "stop sign", "dog", "backpack"]
    assert shown(samples, 2) == ["person", "toothbrush"]
    assert shown(samples, 1) == []  # an image of none of them is a sample
    assert [len(shown(samples, row, -1)) for row in range(3)] == [76, 80, 78]
    assert samples.column("label") == [None] * 3
    assert "1 images of val2017 show no class" in samples.notes


def test_boxes_are_corners_with_a_flag_for_crowds(val: Path) -> None:
    samples = index(val)
    first, none, last = samples.column("boxes")
    assert [(b["id"], b["flags"]) for b in first] == [(16, 1), (0, 0), (24, 0)]
    assert none == []
    assert [last[1][c] for c in ("x0", "y0", "x1", "y1")] == [10.5, 5.25, 30.5, 25.25]
    assert "1 boxes without an area" in samples.notes


def test_captions_licence_and_group(val: Path) -> None:
    samples = index(val)
    assert samples.column("captions") == [["Dogs!", "A dog."], [], ["A toothbrush ?."]]
    assert json.loads(samples.column("extra")[0]) == {
        "licence": "Attribution License", "flickr_url": "http://farm/2_z.jpg",
    }  # fmt: skip
    assert samples.column("group_id") == ["image:coco/2", "image:coco/5", "image:coco/9"]


def test_crops_are_the_boxes_of_single_objects(val: Path) -> None:
    samples = index(f"{val}#crops")
    assert samples.column("key") == ["val/000000000002.jpg#33", "val/000000000009.jpg#7", "val/000000000009.jpg#30"]
    assert [samples.classes.names[i] for i in samples.column("label")] == ["person", "person", "toothbrush"]
    assert samples.column("crop") == [[0, 0, 60, 40], [0, 0, 30, 16], [10.5, 5.25, 30.5, 25.25]]
    assert samples.column("group_id") == ["image:coco/2", "image:coco/9", "image:coco/9"]
    assert {"1 boxes of crowds left out", "2 boxes with a side below 16 pixels left out"} <= set(samples.notes)
    whole = index(val).reader().pixels(2).values
    assert (samples.reader().pixels(2).values == whole[5:26, 10:31]).all()


def test_a_lost_image_is_unreadable_for_all_its_boxes(val: Path) -> None:
    (val / "val2017" / "000000000009.jpg").unlink()
    assert index(val).column("reason") == [None, None, "file is missing: 000000000009.jpg"]
    assert index(f"{val}#crops").column("reason")[1:] == ["file is missing: 000000000009.jpg"] * 2


def test_train_val_and_test_are_one_source(tmp_path: Path) -> None:
    train = {**VAL, "images": [image(77)], "annotations": [instance(1, 77, 2, [0, 0, 50, 30])]}
    folder = coco(
        tmp_path, instances_train2017=train, instances_val2017=VAL, image_info_test2017={"images": [image(100)]},
        image_info_unlabeled2017={"images": [image(101)]},
    )  # fmt: skip
    samples = index(folder)
    assert samples.column("split") == ["train", "val", "val", "val", "test", None]
    assert samples.column("labels")[4:] == [None, None]  # not annotated is not absent
    assert len(index(f"{folder}#crops")) == 4
    only = index(folder / "annotations" / "instances_val2017.json")
    assert only.column("sample_id") == samples.column("sample_id")[1:4]


def test_a_part_of_test_is_not_listed_twice(tmp_path: Path) -> None:
    every, some = {"images": [image(1), image(2)]}, {"images": [image(2)]}
    folder = coco(tmp_path, image_info_test2017=every)
    write_files(folder, {"annotations/image_info_test-dev2017.json": json.dumps(some).encode()})
    assert index(folder).column("key") == ["test/000000000001.jpg", "test/000000000002.jpg"]


def test_sets_without_images_are_left_out_and_said(val: Path) -> None:
    write_files(val, {"annotations/instances_train2017.json": b"never read"})
    assert "not read, their images are not here: train2017" in index(val).notes
    for file in (val / "val2017").iterdir():
        file.unlink()
    (val / "val2017").rmdir()
    with pytest.raises(DataError, match="none of the images"):
        index(val)


def test_the_same_photographs_of_two_years_are_not_mixed(val: Path) -> None:
    old = {**VAL, "images": [image(9, file_name="COCO_val2014_000000000009.jpg")],
           "annotations": [instance(30, 9, 90, [1, 1, 20, 20])]}  # fmt: skip
    coco(val, instances_val2014=old)
    with pytest.raises(DataError, match="2014 and 2017"):
        index(val)
    earlier, later = index(f"{val}#2014"), index(f"{val}#2017")
    assert earlier.column("key") == ["val/COCO_val2014_000000000009.jpg"]
    assert set(earlier.column("group_id")) < set(later.column("group_id"))  # told to be the same photograph
    assert len(index(f"{val}#crops,2014")) == 1


def test_ones_own_data_of_that_form_says_nothing_of_absence(tmp_path: Path) -> None:
    own = {**VAL, "categories": [c for c in CATEGORIES if c["id"] in {1, 13, 18, 27, 90}]}
    samples = index(coco(tmp_path / "own", instances_train=own))
    assert (samples.name, samples.classes.ids) == ("own", ("1", "13", "18", "27", "90"))
    assert {e["state"] for entries in samples.column("labels") for e in entries} == {1}


def test_some_classes_and_another_order(val: Path, tmp_path: Path) -> None:
    samples = index(val, classes=["dog", "toothbrush"])
    assert samples.column("key") == ["val/000000000002.jpg", "val/000000000009.jpg"]
    assert [shown(samples, row) for row in (0, 1)] == [["dog"], ["toothbrush"]]
    assert [b["id"] for boxes in samples.column("boxes") for b in boxes] == [0, 1]
    order = tmp_path / "classes.txt"
    order.write_text("\n".join(sorted(CARD.class_ids)))
    turned = index(val, class_file=order)
    assert shown(turned, 0) == ["person", "stop sign", "dog", "backpack"]
    assert turned.column("labels")[0] != index(val).column("labels")[0]


def broken(change: Callable[[dict[str, Any]], Any]) -> Any:
    document = json.loads(json.dumps(VAL))
    return change(document) or document


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("annotations") and None, "has no list 'annotations'"),
        (lambda d: d["annotations"].append(5), r"annotations\[6\] is 5"),
        (lambda d: d["annotations"][0].update(image_id="9"), "image_id = '9'; wanted int"),
        (lambda d: d["annotations"][0].update(category_id=12), "category 12, which is not among"),
        (lambda d: d["categories"].append(d["categories"][0]), "a category id twice"),
        (lambda d: d["images"][0].update(file_name=None), "file_name = None; wanted str"),
        (lambda d: [1], "wanted an object"),
        (lambda d: {"images": [], "annotations": [], "categories": CATEGORIES}, "no image is listed"),
    ],
)
def test_a_file_that_is_not_what_it_says(val: Path, change: Callable[[dict[str, Any]], Any], message: str) -> None:
    write_files(val, {"annotations/instances_val2017.json": json.dumps(broken(change)).encode()})
    with pytest.raises(DataError, match=message):
        index(val)


@pytest.mark.parametrize("data", [b"{", b"\xff\xfe\x00", b"[" * 200_000, b'{"images": ' + b"9" * 5000 + b"}"])
def test_what_is_no_json(val: Path, data: bytes) -> None:
    write_files(val, {"annotations/instances_val2017.json": data})
    with pytest.raises(DataError, match="not readable JSON"):
        index(val)


def test_names_that_lead_out_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(jpeg())
    names = ["../../secret.jpg", "/etc/passwd", "..\\..\\secret.jpg", "000000000005.jpg"]
    images = [image(i, file_name=name) for i, name in enumerate(names)]
    folder = coco(tmp_path / "coco", instances_val2017={**VAL, "images": images[3:], "annotations": []})
    write_files(folder, {"annotations/instances_val2017.json": json.dumps({**VAL, "images": images}).encode()})
    samples = index(folder)
    assert samples.column("reason") == ["its name leads out of the dataset's folder"] * 3 + [None]


def test_annotations_of_unlisted_images_and_odd_boxes(val: Path) -> None:
    odd = [instance(50, 404, 1, [0, 0, 9, 9]), instance(51, 5, 1, [0, 0, float("nan"), 20]),
           instance(52, 5, 1, [1, 2, 3]), instance(53, 5, 1, [0, 0, -20, -20]),
           instance(54, 5, 1, [float("nan"), 0, 20, 20]), instance(55, 5, 1, [0, 0, 1e300, 20])]  # fmt: skip
    write_files(val, {"annotations/instances_val2017.json":
                      json.dumps({**VAL, "annotations": [*VAL["annotations"], *odd]}).encode()})  # fmt: skip
    samples = index(val)
    assert {"1 annotations of images that instances_val2017.json does not list", "6 boxes without an area"} <= set(
        samples.notes
    )
    assert shown(samples, 1) == ["person"]


def test_files_that_number_classes_differently(val: Path) -> None:
    other = {**VAL, "categories": CATEGORIES[:2], "images": [image(77)], "annotations": []}
    coco(val, instances_train2017=other)
    with pytest.raises(DataError, match="lists other categories than the files beside it"):
        index(val)


@pytest.mark.parametrize("odd", [[], {}, None, "1", [5, {"id": [], "name": 7}]])
def test_licences_that_are_none(val: Path, odd: Any) -> None:
    licensed = {**VAL, "licenses": odd, "images": [image(9, license=odd, flickr_url=odd)], "annotations": []}
    write_files(val, {"annotations/instances_val2017.json": json.dumps(licensed).encode()})
    assert "licence" not in json.loads(index(val).column("extra")[0])


def test_an_unknown_view(val: Path) -> None:
    with pytest.raises(DataError, match=r"no view 'crop'.*#crops: one sample for each box"):
        index(f"{val}#crop")
