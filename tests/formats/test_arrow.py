"""Arrow files: what `datasets` saves and caches, streams and files, damage, caches beside the data."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sightline.errors import DataError
from sightline.formats import Attributes, Listing, arrow
from sightline.indexing import index
from tests.sources import jpeg

IMAGES = [jpeg(i) for i in range(7)]
HUB = {"huggingface": json.dumps({"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}})}


def read(path: Path, **attributes: Any) -> Listing:
    assert arrow.is_at(path)
    return arrow.read(path, Attributes(**attributes))


def write_arrow(
    file: Path, images: list[bytes | None], labels: list[int], paths: list[str | None] | None = None,
    is_stream: bool = True, rows: int = 3, **more: list[Any],
) -> Path:  # fmt: skip
    file.parent.mkdir(parents=True, exist_ok=True)
    structs = [{"bytes": b, "path": p} for b, p in zip(images, paths or [None] * len(images), strict=True)]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array(structs, kind), "label": labels, **more}).replace_schema_metadata(HUB)
    with pa.OSFile(str(file), "wb") as f:
        new = pa.ipc.new_stream if is_stream else pa.ipc.new_file
        with new(f, table.schema) as writer:
            writer.write_table(table, max_chunksize=rows)
    return file


def saved(folder: Path, *files: Path) -> None:
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": f.name} for f in files]}))


def test_a_saved_dataset_dict(tmp_path: Path) -> None:
    for part, stop in ((0, 4), (1, 5)):
        some = range(4 * part, stop)
        paths: list[str | None] = [f"/somewhere/{n + 5}.jpg" for n in some]
        file = tmp_path / f"train/data-{part:05d}-of-00002.arrow"
        write_arrow(file, [IMAGES[n] for n in some], [n % 2 for n in some], paths)
    saved(tmp_path / "train", *sorted((tmp_path / "train").iterdir()))
    write_arrow(tmp_path / "train/cache-0123456789.arrow", IMAGES, [0] * 7)
    saved(tmp_path / "test", write_arrow(tmp_path / "test/data-00000-of-00001.arrow", IMAGES[5:], [0, -1]))
    samples = index(tmp_path)
    assert samples.column("key") == [*(f"train/{n}.jpg" for n in range(5, 10)), "test/00000", "test/00001"]
    assert samples.classes.ids == ("cat", "dog")
    assert samples.column("label") == [0, 1, 0, 1, 0, 0, None]
    assert [samples.reader().payload(i) for i in range(7)] == IMAGES
    assert set(samples.hashed().column("status")) == {"ok"}


@pytest.mark.parametrize("is_stream", [True, False])
def test_a_lone_file(tmp_path: Path, is_stream: bool) -> None:
    images = [*IMAGES[:3], None, b"words"]
    file = write_arrow(tmp_path / "birds-train.arrow", images, [0, 1, 0, 1, 1], None, is_stream, patient=list("aabbc"))
    samples = index(file)
    assert samples.column("split") == ["train"] * 5
    assert samples.column("reason")[3] == "no bytes in this row"
    assert samples.column("status") == ["ok"] * 3 + ["unreadable"] * 2
    assert samples.column("group_id")[:2] == ["patient:a"] * 2


def test_a_key_of_its_own_wins(tmp_path: Path) -> None:
    file = write_arrow(tmp_path / "a.arrow", IMAGES[:2], [0, 1], ["x.jpg", "y.jpg"], key=["train/p", "q"])
    assert read(file).keys == ["train/p", "q"]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"_data_files": [{"filename": "../a.arrow"}]}, "lies outside its folder"),
        ({"_data_files": [{"filename": "b.arrow"}]}, "is missing"),
        ({"_data_files": [5]}, "lies outside its folder"),
        ({"_data_files": [{"filename": "a.arrow"}], "_indices_data_files": ["i.arrow"]}, "choice of rows"),
    ],
)
def test_a_state_that_does_not_fit(tmp_path: Path, state: dict[str, Any], message: str) -> None:
    write_arrow(tmp_path / "a.arrow", IMAGES[:2], [0, 1])
    (tmp_path / "state.json").write_text(json.dumps(state))
    with pytest.raises(DataError, match=message):
        arrow.is_at(tmp_path)


@pytest.mark.parametrize("is_stream", [True, False])
def test_damage_is_named(tmp_path: Path, is_stream: bool) -> None:
    file = write_arrow(tmp_path / "a.arrow", IMAGES[:4], [0, 1, 0, 1], None, is_stream)
    data = file.read_bytes()
    for damage in (b"", b"words", data[: len(data) // 2]):
        file.write_bytes(damage)
        with pytest.raises(DataError, match=r"a\.arrow is not a readable Arrow file"):
            arrow.read(file, Attributes())


def test_a_stream_that_was_cut_between_two_batches(tmp_path: Path) -> None:
    file = write_arrow(tmp_path / "a.arrow", IMAGES[:4], [0, 1, 0, 1])
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(DataError, match="ends without its mark"):
        read(file)


def _with_last_offset_beyond(file: Path, offsets: tuple[int, ...]) -> None:
    data = bytearray(file.read_bytes())
    place = data.index(struct.pack(f"<{len(offsets)}i", *offsets)) + 4 * len(offsets) - 4
    data[place : place + 4] = struct.pack("<i", 1 << 30)
    file.write_bytes(data)


def test_offsets_beyond_the_file_are_not_followed(tmp_path: Path) -> None:
    names = write_arrow(tmp_path / "names.arrow", IMAGES[:2], [0, 1], key=["first", "second"])
    _with_last_offset_beyond(names, (0, 5, 11))
    with pytest.raises(DataError, match="labels cannot be read"):
        read(names)
    images = write_arrow(tmp_path / "images.arrow", IMAGES[:2], [0, 1])
    _with_last_offset_beyond(images, (0, len(IMAGES[0]), len(IMAGES[0] + IMAGES[1])))
    assert set(index(images).column("status")) == {"unreadable"}


def test_other_tables_are_left(tmp_path: Path) -> None:
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as f, pa.ipc.new_file(f, pa.schema([("x", pa.int64())])):
        pass
    assert not arrow.is_at(tmp_path)
    (tmp_path / "state.json").write_text('{"epoch": 3}')
    assert not arrow.is_at(tmp_path)


def test_what_datasets_saves(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    rows = {"image": [{"bytes": b, "path": None} for b in IMAGES], "label": [i % 2 for i in range(7)]}
    whole = datasets.Dataset.from_dict(rows, features=features)
    parts = datasets.DatasetDict({"train": whole.select(range(5)), "validation": whole.select([6, 5])})
    parts.save_to_disk(str(tmp_path / "saved"))
    samples = index(tmp_path / "saved")
    assert samples.classes.ids == ("cat", "dog")
    assert samples.column("split") == ["train"] * 5 + ["val"] * 2
    assert [samples.reader().payload(i) for i in range(7)] == [*IMAGES[:5], IMAGES[6], IMAGES[5]]
