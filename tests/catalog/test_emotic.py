"""EMOTIC: people as crops, several annotators, fields at other positions, and MATLAB's habits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.catalog import datasets
from sightline.catalog.emotic import FORMAT
from sightline.errors import DataError
from sightline.indexing import index
from sightline.samples import SampleTable
from tests.sources import jpeg, write_files

sio = pytest.importorskip("scipy.io", reason="SciPy, which reads and writes MATLAB files, is not installed")


def structures(rows: Sequence[dict[str, Any]]) -> np.ndarray[Any, Any]:
    names = list(rows[0])
    found = np.zeros((1, len(rows)), [(name, object) for name in names])
    for i, row in enumerate(rows):
        for name in names:
            found[0, i][name] = row[name]
    return found


def cell(words: Sequence[str]) -> np.ndarray[Any, Any]:
    found = np.empty((1, len(words)), object)
    found[0, :] = words
    return found


def vad(v: float, a: float = 5, d: float = 6) -> np.ndarray[Any, Any]:
    return structures([{"valence": v, "arousal": a, "dominance": d}])


def person(box: list[float], *raters: Sequence[str], score: float = 4, combined: Sequence[str] | None = None,
           **more: Any) -> dict[str, Any]:  # fmt: skip
    of = {"body_bbox": np.array([box]), "annotations_categories": structures([{"categories": cell(w)} for w in raters])}
    if combined is not None:
        of["combined_categories"] = cell(combined)
    of["annotations_continuous"] = vad(score)
    if combined is not None:
        of["combined_continuous"] = vad(score + 1)
    return of | {"gender": "Female", "age": "Adult"} | more


def photograph(name: str, people: Sequence[dict[str, Any]], folder: str = "mscoco/images") -> dict[str, Any]:
    size = structures([{"n_col": 60, "n_row": 40}])
    database = structures([{"name": "mscoco"}])
    return {"filename": name, "folder": folder, "image_size": size, "original_database": database,
            "person": structures(people)}  # fmt: skip


COCO = "COCO_val2014_000000000139.jpg"
TRAIN = [
    photograph(COCO, [person([-4, 2, 30, 99], ["Peace", "Doubt/Confusion"]),
                      person([5, 5, 20, 20], ["Disquitement"], score=float("nan"))]),
    photograph("b.jpg", [person([0, 0, 60, 40], ["Anger"], score=11)], "framesdb/images"),
]  # fmt: skip
VAL = [photograph("c.jpg", [person([1, 1, 9, 9], ["Peace"], ["Peace", "Fear"], [], combined=["Peace", "Fear"])])]


def emotic(folder: Path, below: str = "emotic", **variables: list[dict[str, Any]]) -> Path:
    (folder / "Annotations").mkdir(parents=True, exist_ok=True)
    values = variables or {"train": TRAIN, "val": VAL}
    sio.savemat(folder / "Annotations" / "Annotations.mat", {k: structures(v) for k, v in values.items()})
    images = {f"{below}/{p['folder']}/{p['filename']}": jpeg(1, 40, 60) for v in values.values() for p in v}
    return write_files(folder, images)


def emotions(samples: SampleTable, row: int, source: str = "dataset") -> list[str]:
    return [samples.classes.ids[e["id"]] for e in samples.column("labels")[row] if e["source"] == source]


def test_a_sample_is_a_person(tmp_path: Path) -> None:
    samples = index(emotic(tmp_path))
    stem = f"train/mscoco/images/{COCO}"
    assert samples.column("key") == [f"{stem}#1", f"{stem}#2", "train/framesdb/images/b.jpg#1",
                                     "val/mscoco/images/c.jpg#1"]  # fmt: skip
    assert samples.column("split") == ["train", "train", "train", "val"]
    assert (len(samples.classes), samples.name, samples.column("label")) == (26, "emotic", [None] * 4)
    assert samples.column("image")[0]["path"] == f"emotic/mscoco/images/{COCO}"
    assert samples.is_ok.all()


def test_boxes_are_clipped(tmp_path: Path) -> None:
    samples = index(emotic(tmp_path))
    assert samples.column("crop")[:2] == [[0, 2, 30, 40], [5, 5, 20, 20]]
    assert samples.reader().pixels(0).values.shape == (38, 30, 3)


def test_emotions_of_one_annotator_and_of_several(tmp_path: Path) -> None:
    samples = index(emotic(tmp_path))
    assert emotions(samples, 0) == ["Doubt/Confusion", "Peace"]
    assert emotions(samples, 1) == ["Disquietment"]  # as misspelt in places
    assert emotions(samples, 0, "rater 1") == []  # one annotator says what the dataset says
    assert emotions(samples, 3) == ["Fear", "Peace"]
    assert [emotions(samples, 3, f"rater {n}") for n in (1, 2, 3)] == [["Peace"], ["Fear", "Peace"], []]
    assert {e["state"] for entries in samples.column("labels") for e in entries} == {1}  # absence is not said


def test_valence_arousal_dominance(tmp_path: Path) -> None:
    samples = index(emotic(tmp_path))
    first, nan, high, several = (dict(v) for v in samples.column("scalars"))
    assert first == {"valence": 4, "arousal": 5, "dominance": 6}
    assert nan == high == {"arousal": 5, "dominance": 6}  # neither NaN nor 11 is of the scale
    assert several["valence"] == 5  # the combined one
    assert "2 people without all of valence, arousal and dominance" in samples.notes
    assert json.loads(samples.column("extra")[3]) == {
        "perceived_gender": "Female", "perceived_age": "Adult", "annotators": 3, "database": "mscoco",
    }  # fmt: skip


def test_people_of_a_photograph_stay_together_and_with_coco(tmp_path: Path) -> None:
    samples = index(emotic(tmp_path))
    group = samples.column("group_id")
    assert group[0] == group[1] == "image:coco/139"
    assert len(set(group)) == 3


def test_fields_at_other_positions_mean_the_same(tmp_path: Path) -> None:
    turned = [dict(reversed(p.items())) for p in TRAIN]
    for p, of in zip(turned, (2, 1), strict=True):
        names = list(reversed(p["person"].dtype.names))
        p["person"] = structures([{n: p["person"][0, i][n] for n in names} for i in range(of)])
    first, second = index(emotic(tmp_path / "a", train=TRAIN)), index(emotic(tmp_path / "b", train=turned))
    assert first.digest == second.digest
    assert first.column("scalars") == second.column("scalars")


@pytest.mark.parametrize("below", [".", "emotic", "images"])
def test_where_the_images_lie(tmp_path: Path, below: str) -> None:
    assert index(emotic(tmp_path, below)).is_ok.all()


def test_a_photograph_in_two_entries(tmp_path: Path) -> None:
    twice = [photograph("c.jpg", [person([0, 0, n, n], ["Peace"])]) for n in (10, 20)]
    samples = index(emotic(tmp_path, train=twice))
    assert samples.column("key") == ["train/mscoco/images/c.jpg#1", "train/mscoco/images/c.jpg#2"]


def test_a_box_of_nothing_and_a_lost_photograph_are_rows(tmp_path: Path) -> None:
    folder = emotic(tmp_path, train=[
        photograph("a.jpg", [person([70, 5, 90, 20], ["Peace"]), person([20, 5, 10, 9], ["Peace"]),
                             person([1, 2, 3], ["Peace"])]),
        photograph("b.jpg", [person([1, 1, 9, 9], ["Fear"])]),
        photograph("d.jpg", [person([1, 1, 9, 9], ["Fear"])]),
    ])  # fmt: skip
    (folder / "emotic" / "mscoco" / "images" / "b.jpg").unlink()
    nothing = "the person's box shows nothing of the image"
    assert index(folder).column("reason") == [*[nothing] * 3, "file is missing: b.jpg", None]


def test_a_name_that_leads_out_is_not_followed(tmp_path: Path) -> None:
    folder = emotic(tmp_path / "x" / "y", train=[photograph("a.jpg", [person([1, 1, 9, 9], ["Fear"])]),
                    photograph("../../../../../secret.jpg", [person([1, 1, 9, 9], ["Fear"])])])  # fmt: skip
    write_files(tmp_path, {"secret.jpg": jpeg(), "x/secret.jpg": jpeg()})
    assert index(folder).column("reason") == [None, "its name leads out of the dataset's folder"]


def test_an_unknown_emotion(tmp_path: Path) -> None:
    folder = emotic(tmp_path, train=[photograph("a.jpg", [person([1, 1, 9, 9], ["Feer"])])])
    with pytest.raises(DataError, match=r"none of the 26\. Did you mean 'Fear'"):
        index(folder)


def test_files_that_are_not_emotics(tmp_path: Path) -> None:
    folder = emotic(tmp_path)
    file = folder / "Annotations" / "Annotations.mat"
    whole = file.read_bytes()
    for data in (b"", b"MATLAB 5.0", whole[:700], whole[:128] + b"\xff" * 200, b"\x89HDF\r\n\x1a\n" + bytes(200)):
        file.write_bytes(data)
        with pytest.raises(DataError, match=r"not a readable MATLAB file|none of the variables"):
            index(folder)
    sio.savemat(file, {"train": np.arange(3)})
    with pytest.raises(DataError, match="a structure is wanted"):
        index(folder)
    sio.savemat(file, {"train": structures([{"filename": "a.jpg"}])})
    with pytest.raises(DataError, match="has no field 'folder'"):
        index(folder)


def test_no_images_at_all(tmp_path: Path) -> None:
    (emotic(tmp_path) / "emotic").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="none of its images"):
        index(tmp_path)


def test_the_classes_are_in_alphabetical_order() -> None:
    ids = datasets("emotic").class_ids
    assert list(ids) == sorted(ids)
    assert (ids[0], ids[-1], len(ids)) == ("Affection", "Yearning", 26)
    assert not FORMAT.has_columns
