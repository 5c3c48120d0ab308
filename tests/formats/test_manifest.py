"""Manifests: columns, paths, and every way in which a table of samples goes wrong."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sightline.errors import DataError
from sightline.formats import Attributes, Listing, manifest
from tests.sources import jpeg, write_files

NAMES = ("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path, {name: jpeg(i) for i, name in enumerate(NAMES)})


def read(folder: Path, text: str, name: str = "list.csv", **attributes: object) -> Listing:
    (folder / name).write_text(text, "utf-8")
    assert manifest.is_at(folder / name)
    return manifest.read(folder / name, Attributes(**attributes))  # type: ignore[arg-type]


def test_rows_in_order(folder: Path) -> None:
    found = read(folder, "path,label\nb/1.jpg,x\na/1.jpg,y\n")
    assert (found.keys, found.labels, found.splits) == (["b/1.jpg", "a/1.jpg"], ["x", "y"], [None, None])
    assert found.notes == ()


@pytest.mark.parametrize("path", ["image", "File", "filename", "filepath", "file_name"])
@pytest.mark.parametrize("label", ["class", "Target", "category"])
def test_other_names_of_the_columns_are_said(folder: Path, path: str, label: str) -> None:
    found = read(folder, f"n,{label},{path}\n1,x,a/1.jpg\n2,y,b/1.jpg\n")
    assert (found.keys, found.labels) == (["a/1.jpg", "b/1.jpg"], ["x", "y"])
    assert found.notes == (f"path from the column {path!r}", f"label from the column {label!r}")


@pytest.mark.parametrize(
    "text",
    ["\ufeffpath,label\na/1.jpg,x\nb/1.jpg,y\n", "path;label\na/1.jpg;x\nb/1.jpg;y\n",
     "path\tlabel\na/1.jpg\tx\nb/1.jpg\ty\n",
     "path,label\r\na\\1.jpg,x\r\nb\\1.jpg,y\r\n", "path,label\n./a/1.jpg, x \n\nb/../b/1.jpg,y\n",
     'path,label\n"a/1.jpg","x"\n"b/1.jpg","y"\n'],
)  # fmt: skip
def test_spellings_of_the_same_table(folder: Path, text: str) -> None:
    found = read(folder, text)
    assert (found.keys, found.labels) == (["a/1.jpg", "b/1.jpg"], ["x", "y"])


def test_values_stay_text(folder: Path) -> None:
    assert read(folder, "path,label\na/1.jpg,007\nb/1.jpg,N/A\n").labels == ["007", "N/A"]


def test_an_empty_label_is_unlabelled_and_said(folder: Path) -> None:
    found = read(folder, "path,label\na/1.jpg,x\na/2.jpg,\nb/1.jpg,y\n")
    assert found.labels == ["x", None, "y"]
    assert "1 rows without a label" in found.notes[0]


def test_a_split_column(folder: Path) -> None:
    found = read(folder, "path,label,split\na/1.jpg,x,Train\na/2.jpg,x,validation\nb/1.jpg,y,TEST\n")
    assert found.splits == ["train", "val", "test"]


def test_groups_and_time_are_taken_by_their_usual_names_and_said(folder: Path) -> None:
    found = read(folder, "path,label,patient,date\na/1.jpg,x,P1,2026-03-01\na/2.jpg,y,,2026-03-02T10:00:00+02:00\n")
    assert found.groups == [[("patient", "P1")], []]
    assert [t and t.isoformat() for t in found.times or []] == ["2026-03-01T00:00:00", "2026-03-02T08:00:00"]
    assert found.notes == ("grouped by the column 'patient'", "time from the column 'date'")


def test_groups_and_time_by_name(folder: Path) -> None:
    text = "path,label,site,scanner,taken\na/1.jpg,x,S1,K1,2019\na/2.jpg,y,S1,K2,2020\n"
    found = read(folder, text, groups=("site", "scanner"), time="taken")
    assert found.groups == [[("site", "S1"), ("scanner", "K1")], [("site", "S1"), ("scanner", "K2")]]
    assert [t and t.year for t in found.times or []] == [2019, 2020]
    assert found.notes == ()


def test_a_column_called_date_that_is_none_is_left_and_said(folder: Path) -> None:
    found = read(folder, "path,label,date\na/1.jpg,x,soon\nb/1.jpg,y,later\n")
    assert found.times is None
    assert "not taken" in found.notes[0]


def test_tables_named_by_split_make_one_source(folder: Path) -> None:
    (folder / "test.csv").write_text("path\nb/2.jpg\n")
    (folder / "train.csv").write_text("path,label\na/1.jpg,x\nb/1.jpg,y\n")
    found = manifest.read(folder, Attributes())
    assert found.splits == ["train", "train", "test"]
    assert found.labels == ["x", "y", None]


def test_absolute_paths(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = write_files(tmp_path_factory.mktemp("elsewhere"), {"z.jpg": jpeg()}) / "z.jpg"
    found = read(folder, f"path,label\n{folder}/a/1.jpg,x\n{elsewhere},y\n")
    assert found.keys == ["a/1.jpg", str(elsewhere).lstrip("/")]
    assert found.images["root"] == ["source", "absolute"]
    assert found.roots["absolute"] == "/"


def test_parquet(folder: Path) -> None:
    columns = {"path": ["a/1.jpg", "b/1.jpg", "b/2.jpg"], "label": [1.0, 2.0, None], "subject": [7, 7, 8]}
    pq.write_table(pa.table(columns), folder / "list.parquet")
    found = manifest.read(folder / "list.parquet", Attributes())
    assert found.labels == ["1", "2", None]
    assert found.groups == [[("subject", "7")], [("subject", "7")], [("subject", "8")]]


def test_a_missing_file_stays_a_row(folder: Path) -> None:
    assert read(folder, "path,label\na/1.jpg,x\na/gone.jpg,y\n").keys == ["a/1.jpg", "a/gone.jpg"]
    caption = "a" * 5000  # no file can have such a name
    assert read(folder, f"path,label\n{caption},y\na/1.jpg,x\n").keys == [caption, "a/1.jpg"]


def test_blanks_around_a_path_are_of_the_name_where_there_is_such_a_file(folder: Path) -> None:
    (folder / "a" / " 3.jpg ").write_bytes((folder / "a" / "1.jpg").read_bytes())
    assert read(folder, "path,label\n a/1.jpg ,x\na/ 3.jpg ,y\n").keys == ["a/1.jpg", "a/ 3.jpg "]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,kind\na/1.jpg,x\n", r"no column for the label\. It has: path, kind"),
        ("where,label\na/1.jpg,x\n", "no column for the path"),
        ("path,label\n", "a header and no rows"),
        ("", "must name each column once"),
        ("path,label,label\na/1.jpg,x,y\n", "must name each column once"),
        ("path,label\na/1.jpg,x\na/1.jpg,x\n", r"row 2 and list.csv row 1 both name 'a/1.jpg'\. The same image"),
        ("path,label\na/1.jpg,x\n./a/1.jpg,y\n", "with the labels 'y' and 'x'. One image has one label"),
        ("path,label\na/1.jpg,x,more\n", "row 1 has 3 fields, its header has 2"),
        ("path,label\n,x\n", "row 1 has an empty path"),
        ("path,label\nhttps://example.org/1.jpg,x\n", "Addresses are not fetched"),
        ("path,label\ngone.jpg,x\nlost.jpg,y\n", "none of the 2 listed files exists"),
        ("path,label,split\na/1.jpg,x,trian\n", r"split 'trian'.*Did you mean 'train'"),
        ("path,label,split\na/1.jpg,x,train\na/2.jpg,x,\n", "1 of 2 rows have no split"),
        ('path,label\n"a/1.jpg,x\n', "not a readable CSV"),
    ],
)
def test_refused_with_a_reason(folder: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(folder, text)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"groups": ("patent",)}, r"no column 'patent' to group by\. Did you mean 'patient'"),
        ({"time": "when"}, "no column 'when' for the time"),
        ({"time": "patient"}, "'P1' in row 1 of column 'patient' is no time"),
    ],
)
def test_columns_that_were_named_must_be_there(folder: Path, attributes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(folder, "path,label,patient\na/1.jpg,x,P1\n", **attributes)


def test_not_utf8_is_said(folder: Path) -> None:
    (folder / "list.csv").write_bytes("path,label\na/1.jpg,Bär\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        manifest.read(folder / "list.csv", Attributes())


def test_a_label_that_is_a_fraction_is_refused(folder: Path) -> None:
    pq.write_table(pa.table({"path": ["a/1.jpg"], "label": [0.5]}), folder / "list.parquet")
    with pytest.raises(DataError, match=r"label 0\.5 in row 1"):
        manifest.read(folder / "list.parquet", Attributes())


def test_several_tables_are_not_chosen_from(folder: Path) -> None:
    for name in ("one.csv", "two.csv"):
        (folder / name).write_text("path,label\na/1.jpg,x\n")
    with pytest.raises(DataError, match=r"several tables \(one\.csv, two\.csv\)"):
        manifest.read(folder, Attributes())
