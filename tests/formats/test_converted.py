"""Folders that `convert` wrote, as sources: read as they were, and refused when their table tells of other files."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import sightline as sl
from sightline.errors import DataError, VersionError
from sightline.formats import detect
from sightline.samples import table_from_rows
from tests.sources import jpeg


@pytest.fixture(params=["class-folders", "webdataset"])
def out(request: pytest.FixtureRequest, photo_folder: Path, tmp_path: Path) -> Path:
    """A folder that was converted."""
    sl.convert(sl.index(photo_folder, limit=0.3), tmp_path / "out", to=request.param)
    return tmp_path / "out"


def test_it_is_known_before_any_other_layout(out: Path) -> None:
    assert detect(out).name == "a converted folder"


def test_new_images_are_not_overlooked(out: Path) -> None:
    (out / "LICENSE.txt").write_text("mine")
    sl.index(out)
    (out / "train").mkdir(exist_ok=True)
    (out / "train" / "more.jpg").write_bytes(jpeg())
    with pytest.raises(DataError, match=r"1 files that are not in its table .*\(train/more\.jpg\).* delete sightline"):
        sl.index(out)


def test_a_shard_that_changed_is_named(photo_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sl.convert(sl.index(photo_folder, limit=0.3), out, to="parquet")
    [shard, *_] = sorted((out / "data").iterdir())
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-9])
    with pytest.raises(DataError, match=rf"{shard.name} {len(whole) - 9:,} bytes; {len(whole):,} bytes were written"):
        sl.index(out)
    shard.unlink()
    with pytest.raises(DataError, match=rf"{shard.name} is gone"):
        sl.index(out)


def test_an_image_that_is_gone_is_a_row(photo_folder: Path, tmp_path: Path) -> None:
    source = sl.index(photo_folder, limit=0.3)
    out = tmp_path / "out"
    sl.convert(source, out, to="class-folders")
    (out / source.column("key")[2]).unlink()
    back = sl.index(out)
    assert back.digest == source.digest
    assert back.column("status").count("unreadable") == 1
    assert back.column("reason")[2].startswith("file is missing")


def test_damage_inside_a_shard_is_a_row(photo_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = sl.convert(sl.index(photo_folder, limit=0.3), out, to="webdataset").samples
    place = made.column("image")[5]
    data = bytearray((out / place["path"]).read_bytes())
    data[place["offset"] : place["offset"] + place["length"]] = bytes(place["length"])
    (out / place["path"]).write_bytes(data)
    assert [i for i, s in enumerate(sl.index(out).column("status")) if s != "ok"] == [5]


def test_a_newer_folder_is_refused(out: Path) -> None:
    about = json.loads((out / "sightline.json").read_text())
    (out / "sightline.json").write_text(json.dumps(about | {"version": 2}))
    with pytest.raises(VersionError, match="newer version"):
        sl.index(out)


def test_a_table_of_another_folder_is_refused(out: Path, photo_folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    sl.convert(sl.index(photo_folder / "train"), other, to="class-folders")
    shutil.copy(other / "sightline-classes.parquet", out)
    shutil.copy(other / "sightline.parquet", out)
    with pytest.raises(DataError, match=r"sightline\.parquet is not the table that sightline\.json was written with"):
        sl.index(out)


@pytest.mark.parametrize("text", ["[]", "{}", '{"version": 1, "to": "mds"}', '{"to": 1, "samples": "", "files": {}}'])
def test_a_description_of_other_things_is_refused(out: Path, text: str) -> None:
    (out / "sightline.json").write_text(text)
    with pytest.raises(DataError, match=r"is not what `convert` writes; wanted to, samples, files"):
        sl.index(out)


def test_a_table_of_other_things_is_refused(out: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), out / "sightline.parquet")
    with pytest.raises(DataError, match="is no table that Sightline wrote"):
        sl.index(out)


@pytest.mark.parametrize(
    ("field", "value"), [("path", "/etc/hostname"), ("path", "train/../../x.jpg"), ("container", "arrow")]
)
def test_a_table_leads_nowhere_else(photo_folder: Path, tmp_path: Path, field: str, value: str) -> None:
    out = tmp_path / "out"
    made = sl.convert(sl.index(photo_folder, limit=0.3), out, to="class-folders").samples
    rows = made.table.to_pylist()
    rows[3]["image"][field] = value
    replace(made, table=table_from_rows(rows)).write(out / "sightline.parquet", out / "sightline-classes.parquet")
    with pytest.raises(DataError, match=f"refers to {value!r}.* as no table of `convert` does"):
        sl.index(out)
