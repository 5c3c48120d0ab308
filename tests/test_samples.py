"""The sample table: checked when it is born, the same after a round trip, and read in full once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sightline.errors import DataError
from sightline.images.upright import oriented
from sightline.indexing import index
from sightline.samples import SCHEMA, Classes, SampleTable, sample_id_of, table_from_rows
from tests.sources import ODD_BUT_READABLE, TRUNCATED, UNREADABLE, encoded, picture, write_files

CLASSES = Classes(("a", "b"), ("Ant", "b"))


def rows(count: int = 4, **changes: Any) -> list[dict[str, Any]]:
    return [
        {
            "sample_id": sample_id_of("", str(i)), "key": str(i), "dataset": "", "group_id": str(i), "status": "ok",
            "label": i % 2, "image": {"root": "r", "path": str(i), "container": "file"},
        } | changes
        for i in range(count)
    ]  # fmt: skip


def samples(*args: Any, **changes: Any) -> SampleTable:
    return SampleTable(table_from_rows(rows(*args, **changes)), CLASSES, "test", {"r": "/"})


def test_ids_are_golden() -> None:
    # Ids are stored in studies and in other people's files: they may never change.
    assert sample_id_of("", "cat/1.jpg").hex() == "90e83acfd135aef6a2d41fed4d55875d"
    assert sample_id_of("mnist", "train/00000").hex() == "57ab02c4215047162017efff31d1b51d"


def test_columns_as_python_sees_them() -> None:
    table = samples(4)
    assert table.labels.tolist() == [0, 1, 0, 1]
    assert table.is_ok.all()
    assert table.column("ordinal") == [0, 1, 2, 3]
    ids = table.column("sample_id")
    assert table.positions([ids[2], ids[0]]).tolist() == [2, 0]
    assert table.ids.tolist() == ids
    assert "4 samples · 2 classes" in repr(table)


def test_a_part_keeps_classes_notes_and_labels() -> None:
    table = SampleTable(table_from_rows(rows(6)), CLASSES, "test", {"r": "/"}, {"limit": 0.5}, ("said",))
    part = table.take(np.array([False, True, False, True, False, False]))
    assert part.column("key") == ["1", "3"]
    assert part.column("key") == table.take([1, 3]).column("key")
    some = SimpleNamespace(ids=tuple(table.column("sample_id")[i] for i in (3, 1)), digest="")
    assert table.take(some).column("key") == ["3", "1"]
    with pytest.raises(DataError, match="test split is sealed"):
        table.take(SimpleNamespace(digest=""))
    assert (part.classes, part.subset, part.notes, part.roots) == (CLASSES, {"limit": 0.5}, ("said",), {"r": "/"})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: samples(0), "no samples"),
        (lambda: samples(2, key="x", sample_id=bytes(16)), r"keys must be unique, got \['x'\]"),
        (lambda: samples(2, label=2), "labels must lie in 0 … 1, got 2"),
        (lambda: samples(2, label=-1), "labels must lie in 0 … 1"),
        (lambda: SampleTable(samples(2).table.drop_columns(["time"]), CLASSES, "test"), "has the columns"),
        (lambda: samples(2, label=None).labels, "2 of 2 samples have no label"),
        (lambda: samples(2).positions([bytes(16)]), "has no sample 0000"),
        (lambda: Classes(("a", "a"), ("x", "y")), r"must be unique, got \['a'\]"),
        (lambda: Classes(("a", "b"), ("x",)), "2 class ids but 1 names"),
    ],
)
def test_refused_when_born(make: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        make()


def test_names_may_repeat_and_ids_show() -> None:
    classes = Classes(("n1", "n2", "owl"), ("crane", "crane", "owl"))
    assert [classes.title(i) for i in range(3)] == ["crane (n1)", "crane (n2)", "owl"]
    assert classes.index["n2"] == 1
    assert Classes.from_arrow(classes.to_arrow()) == classes
    assert classes.digest == Classes(classes.ids, ("x", "y", "z")).digest  # meaning lies in the ids


def test_the_digest_is_of_identity_not_of_what_a_read_fills() -> None:
    table = samples(4)
    assert table.digest == samples(4, reason="x", status="unreadable").digest
    for changes in ({"label": 1}, {"split": "train"}, {"group_id": "g"}):
        assert samples(4, **changes).digest != table.digest
    assert table.take([1, 0, 2, 3]).digest != table.digest
    assert SampleTable(table.table, Classes(("b", "a"), ("b", "a")), "test").digest != table.digest


LABEL, SPLIT = st.sampled_from([None, 0, 1]), st.sampled_from([None, "train", "test"])
GROUPS = st.none() | st.lists(st.text("abc", max_size=2), max_size=2)


@given(st.lists(st.tuples(LABEL, SPLIT, GROUPS), min_size=1, max_size=8))
@settings(max_examples=30, deadline=None)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, facts: list[tuple[Any, Any, Any]]) -> None:
    made = rows(len(facts))
    for row, (label, split, groups) in zip(made, facts, strict=True):
        row.update(label=label, split=split, groups=groups and [{"kind": "k", "id": g} for g in groups])
    table = SampleTable(table_from_rows(made), CLASSES, "test", {"r": "/"}, {"limit": 0.5}, ("said",))
    folder = tmp_path_factory.mktemp("t")
    table.write(folder / "samples.parquet", folder / "classes.parquet")
    back = SampleTable.read(folder / "samples.parquet", folder / "classes.parquet")
    assert back.table.equals(table.table)
    assert back.table.schema.equals(SCHEMA)
    assert (back.digest, back.name, back.roots, back.subset, back.notes, back.classes) == (
        table.digest, table.name, table.roots, table.subset, table.notes, table.classes,
    )  # fmt: skip


def test_a_table_of_something_else_is_refused(tmp_path: Path) -> None:
    samples(2).write(tmp_path / "s", tmp_path / "c")
    with pytest.raises(DataError, match="is no table that Sightline wrote"):
        SampleTable.read(tmp_path / "c", tmp_path / "c")


def test_classes_of_another_table_are_refused(tmp_path: Path) -> None:
    samples(2).write(tmp_path / "s", tmp_path / "c")
    other = SampleTable(samples(2).table, Classes(("b", "a"), ("b", "a")), "test")
    other.write(tmp_path / "s2", tmp_path / "c2")
    with pytest.raises(DataError, match="does not belong to"):
        SampleTable.read(tmp_path / "s", tmp_path / "c2")


def test_the_full_read(tmp_path: Path) -> None:
    good = {f"a/{n}": v[0] for n, v in ODD_BUT_READABLE.items()}
    bad = {f"b/{n}": v[0] for n, v in UNREADABLE.items()} | {f"b/{n}": v for n, v in TRUNCATED.items()}
    table = index(write_files(tmp_path, {**good, **bad, "b/copy.jpg": good["a/no_suffix"]}))
    read = table.hashed()
    assert read is table.hashed()
    assert read.hashed() is read
    reader = read.reader()
    for i, row in enumerate(read.table.to_pylist()):
        if row["key"] in bad:
            assert row["status"] == "unreadable"
            assert row["reason"]
            assert row["pixel_sums"] is None
            continue
        payload = {**good, "b/copy.jpg": good["a/no_suffix"]}[row["key"]]
        assert row["content_sha256"] == hashlib.sha256(payload).digest()
        values = reader.pixels(i).values.astype(np.int64)
        colours = values.reshape(-1, values.shape[2])[:, : 3 if values.shape[2] >= 3 else 1]
        assert row["pixel_sums"] == {
            "num_pixels": len(colours), "sums": colours.sum(0).tolist(), "squares": (colours**2).sum(0).tolist(),
        }  # fmt: skip
    pixel = dict(zip(read.column("key"), read.column("pixel_sha256"), strict=True))
    assert pixel["b/copy.jpg"] == pixel["a/no_suffix"]
    assert len({p for p in pixel.values() if p}) == len(good)


def test_a_full_read_that_was_stored_is_not_repeated(tmp_path: Path, photo_folder: Path) -> None:
    index(photo_folder).hashed().write(tmp_path / "s", tmp_path / "c")
    for file in photo_folder.rglob("*.jpg"):
        file.unlink()
    back = SampleTable.read(tmp_path / "s", tmp_path / "c")
    assert back.hashed() is back
    assert back.is_ok.all()


def test_views(photo_folder: Path) -> None:
    pandas = pytest.importorskip("pandas")
    table = index(photo_folder, name="<b>")
    frame = table.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame["sample_id"][0] == table.column("sample_id")[0].hex()
    assert "<b>" not in table._repr_html_()  # names from outside stay text
    assert list(table.classes.to_pandas().columns) == ["id", "native_id", "name"]


def test_a_table_of_the_first_version_is_read_as_one_of_this(tmp_path: Path) -> None:
    """Columns and fields that it lacks are null; what it says stays."""
    table = SampleTable(table_from_rows(rows(4)), CLASSES, "old", {"r": "/"})
    entries = [[{"space": "", "id": 1, "source": "rater"}], None, [], None]
    image = table.table["image"].combine_chunks()
    old_image = [f for f in image.type if f.name != "frame"]
    label = pa.struct([("space", pa.string()), ("id", pa.int32()), ("source", pa.string())])
    further = {"crop", "boxes", "captions", "scalars", "extra"}
    columns = {name: table.table[name] for name in table.table.schema.names if name not in further} | {
        "image": pa.StructArray.from_arrays([image.field(f.name) for f in old_image], fields=old_image),
        "labels": pa.array(entries, pa.list_(label)),
    }
    table.write(tmp_path / "s.parquet", tmp_path / "c.parquet")
    stored = json.loads(pq.read_schema(tmp_path / "s.parquet").metadata[b"sightline"])
    about = {"sightline": json.dumps(stored | {"version": 1})}
    pq.write_table(pa.table(columns).replace_schema_metadata(about), tmp_path / "s.parquet")
    first = CLASSES.to_arrow()
    pq.write_table(first, tmp_path / "c.parquet")
    read = SampleTable.read(tmp_path / "s.parquet", tmp_path / "c.parquet")
    assert read.table.schema.equals(SCHEMA)
    assert read.column("key") == table.column("key")
    assert read.column("crop") == [None] * 4
    assert read.column("labels")[0] == [{"space": "", "id": 1, "state": None, "score": None, "source": "rater"}]
    assert read.column("labels")[1:] == [None, [], None]


def test_further_spaces_travel_with_the_table(tmp_path: Path) -> None:
    made = rows(3)
    for i, row in enumerate(made):
        row |= {"labels": [{"space": "coarse", "id": i % 2, "state": 1, "source": "dataset"}], "crop": [0, 1, 2, 3]}
    coarse = Classes(("animal", "thing"), ("Animal", "Thing"), "official")
    table = SampleTable(table_from_rows(made), CLASSES, "t", {"r": "/"}, spaces={"coarse": coarse})
    table.write(tmp_path / "s.parquet", tmp_path / "c.parquet")
    read = SampleTable.read(tmp_path / "s.parquet", tmp_path / "c.parquet")
    assert read.spaces == {"coarse": coarse}
    assert read.table.equals(table.table)
    assert read.digest == table.digest != SampleTable(table_from_rows(rows(3)), CLASSES, "t", {"r": "/"}).digest
    made[1]["labels"][0]["id"] = 2
    with pytest.raises(DataError, match=r"space 'coarse' must lie in 0 … 1, got 0 … 2"):
        SampleTable(table_from_rows(made), CLASSES, "t", spaces={"coarse": coarse})
    with pytest.raises(DataError, match="speak of the space 'coarse'"):
        SampleTable(table_from_rows(made[:1]), CLASSES, "t")


def test_a_dropped_sample_is_neither_fine_nor_unreadable() -> None:
    whole = samples(4)
    table = samples(4).table.to_pylist()
    table[1] |= {"status": "dropped", "reason": "a copy"}
    table[2] |= {"status": "unreadable", "reason": "torn"}
    part = SampleTable(table_from_rows(table), CLASSES, "test", {"r": "/"})
    assert part.is_ok.tolist() == [True, False, False, True]
    assert part.is_dropped.tolist() == [False, True, False, False]
    assert "1 unreadable, listed" in repr(part)
    assert part.digest != whole.digest, "other samples are left to learn from"
    table[1] |= {"status": "ok", "reason": None}
    assert SampleTable(table_from_rows(table), CLASSES, "test", {"r": "/"}).digest == whole.digest


def test_a_picture_stored_turned_has_the_hash_of_the_upright_one(tmp_path: Path) -> None:
    values = picture(20, 30)
    files = {"a/plain.png": encoded(Image.fromarray(values), "PNG")}
    for orientation in range(2, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        inverse = {6: 8, 8: 6}.get(orientation, orientation)
        stored = np.ascontiguousarray(oriented(values, inverse))
        files[f"b/{orientation}.png"] = encoded(Image.fromarray(stored), "PNG", exif=exif)
    hashes = index(write_files(tmp_path / "turned", files)).hashed().column("pixel_sha256")
    assert len(set(hashes)) == 1
    other = {"a/1.png": files["a/plain.png"], "b/2.png": encoded(Image.fromarray(values[::-1]), "PNG")}
    assert len(set(index(write_files(tmp_path / "other", other)).hashed().column("pixel_sha256"))) == 2
