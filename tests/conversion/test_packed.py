"""Packed studies: the same samples and pixels in shards that others read too; all of it or nothing."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import sightline as sl
from sightline import conversion
from sightline.conversion import convert, packed, tar_shards
from sightline.errors import DataError, LedgerError
from sightline.images.jpeg_recoding import recoded
from sightline.ledger import Ledger
from sightline.samples import SCHEMA, SampleTable
from tests.sources import ODD_BUT_READABLE, TRUNCATED, UNREADABLE, encoded, jpeg, picture, write_files, write_hub

pytest.importorskip("numba", reason="the extra `pack` is not installed")

NOT_CHANGED = ["sample_id", "key", "ordinal", "dataset", "split", "group_id", "groups", "time", "label", "labels",
               "status", "reason", "content_sha256", "pixel_sha256", "pixel_sums"]  # fmt: skip


@pytest.fixture
def odd(tmp_path: Path) -> SampleTable:
    """Two classes of all that can be read in one way or another, and what cannot."""
    progressive = {"a/progressive.jpg": encoded(Image.fromarray(picture(40, 50)), "JPEG", progressive=True)}
    plain = {f"b/{i}.jpg": jpeg(i, 30 + i, 45) for i in range(5)}
    good = {f"a/{n}": v[0] for n, v in ODD_BUT_READABLE.items()}
    bad = {f"b/{n}": v[0] for n, v in UNREADABLE.items()} | {f"b/{n}": v for n, v in TRUNCATED.items()}
    return sl.index(write_files(tmp_path / "odd", {**good, **progressive, **plain, **bad}))


def assert_same_pixels(made: SampleTable, source: SampleTable) -> None:
    a, b = made.reader(), source.reader()
    for i in np.flatnonzero(source.is_ok).tolist():
        new, old = a.pixels(i), b.pixels(i)
        np.testing.assert_array_equal(new.values, old.values)
        assert (new.bits, new.orientation) == (old.bits, old.orientation)


def test_everything_but_the_place_of_the_images_stays(odd: SampleTable, tmp_path: Path) -> None:
    made = convert(odd, tmp_path / "out")
    source = odd.hashed()
    assert made.samples.table.select(NOT_CHANGED).to_pylist() == source.table.select(NOT_CHANGED).to_pylist()
    assert (made.samples.digest, made.samples.name, made.samples.classes) == (odd.digest, odd.name, odd.classes)
    assert made.samples.hashed() is made.samples
    assert_same_pixels(made.samples, source)
    for new, old in zip(made.samples.column("image"), source.column("image"), strict=True):
        assert new["container"] == "packed"
        same = ("codec", "width", "height", "mode", "bits", "exif_orientation")
        assert {n: new[n] for n in same} == {n: old[n] for n in same}


def test_what_was_done_is_told_and_recorded(odd: SampleTable, tmp_path: Path) -> None:
    made = convert(odd, tmp_path / "out")
    said = made.to_json()
    source = odd.hashed()
    readable = np.flatnonzero(source.is_ok)
    assert said["recoded"] == 5 + 3  # plain, and of the odd ones grey.jpg, rotated.jpg and no_suffix
    assert sum(said["as_they_are"].values()) == len(readable) - 8
    assert said["as_they_are"]["png"] == 3
    assert said["unreadable"] == len(source) - len(readable) == 6
    reader = source.reader()
    assert said["bytes"]["before"] == sum(len(reader.payload(int(i))) for i in readable)
    assert made.study.about["converted"] == [{**said, "samples": odd.digest}]
    assert repr(made).startswith(f"{len(odd)} images · 8 recoded without loss · 5 as they are (3 png, ")


def test_bands_are_rows_of_the_source(tmp_path: Path) -> None:
    files = {f"{c}/{i}.jpg": jpeg(i, 100, 30 + i) for c in "ab" for i in range(3)}
    source = sl.index(write_files(tmp_path / "source", files))
    reader, whole = convert(source, tmp_path / "out").samples.reader(), source.reader()
    for i in range(len(source)):
        pixels, first = reader.band(i, 40, 50)
        assert len(pixels.values) <= 42
        np.testing.assert_array_equal(pixels.values[40 - first : 50 - first], whole.pixels(i).values[40:50])


def test_any_program_for_tar_reads_a_shard(odd: SampleTable, tmp_path: Path) -> None:
    made = convert(odd, tmp_path / "out")
    reader = made.samples.reader()
    with tarfile.open(tmp_path / "out" / "shards" / "shard-00000.tar") as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}  # type: ignore[union-attr]
        places = {m.name: m.offset_data for m in tar.getmembers()}
    images = {n.partition(".")[0]: n for n in files if not n.endswith((".json", ".cls"))}
    rows = made.samples.table.select(["key", "sample_id", "label", "image"]).to_pylist()
    readable = np.flatnonzero(made.samples.is_ok).tolist()
    assert sorted(images) == [f"{i:08d}" for i in readable]
    for i in readable:
        name = images[f"{i:08d}"]
        assert name.count(".") == 1
        assert files[name] == reader.payload(i)
        assert places[name] == rows[i]["image"]["offset"]
        about = json.loads(files[f"{i:08d}.json"])
        assert (about["key"], about["sample_id"]) == (rows[i]["key"], rows[i]["sample_id"].hex())
        assert int(files[f"{i:08d}.cls"]) == about["label"] == rows[i]["label"]
        assert about["class"] == made.samples.classes.ids[rows[i]["label"]]


def test_webdataset_reads_the_shards(photo_folder: Path, tmp_path: Path) -> None:
    wds = pytest.importorskip("webdataset", reason="webdataset is not installed")
    made = convert(sl.index(photo_folder), tmp_path / "out")
    shards = sorted(str(p) for p in (tmp_path / "out" / "shards").glob("*.tar"))
    found = list(wds.WebDataset(shards, shardshuffle=False).decode("rgb8").to_tuple("jpg", "cls", "json"))
    assert len(found) == len(made.samples)
    reader = made.samples.reader()
    for i, (image, label, about) in enumerate(found):
        np.testing.assert_array_equal(image, reader.pixels(i).values)
        assert label == made.samples.labels[i]
        assert about["key"] == made.samples.column("key")[i]


def test_unlabelled_samples_have_no_label_file(tmp_path: Path) -> None:
    write_hub(tmp_path / "hub" / "train.parquet", [jpeg(i) for i in range(4)], [0, 1, -1, 1])
    made = convert(sl.index(tmp_path / "hub"), tmp_path / "out")
    assert made.samples.column("label") == [0, 1, None, 1]
    with tarfile.open(tmp_path / "out" / "shards" / "shard-00000.tar") as tar:
        assert [n for n in tar.getnames() if n.endswith(".cls")] == [f"{i:08d}.cls" for i in (0, 1, 3)]


def test_shards_are_filled_and_no_larger(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tar_shards, "SHARD_BYTES", 30_000)
    source = sl.index(photo_folder)
    made = convert(source, tmp_path / "out")
    shards = sorted((tmp_path / "out" / "shards").glob("*.tar"))
    sizes = [p.stat().st_size for p in shards]
    assert made.tally.num_shards == len(shards) > 3
    assert [p.name for p in shards] == [f"shard-{k:05d}.tar" for k in range(len(shards))]
    assert max(sizes) <= 30_000 < min(a + b for a, b in pairwise(sizes))
    assert_same_pixels(made.samples, source)
    for i in range(len(source)):
        made.samples.reader().band(i, 8, 9)


def test_a_sample_larger_than_a_shard_has_one_of_its_own(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tar_shards, "SHARD_BYTES", 10)
    source = sl.index(photo_folder, limit=0.2)
    made = convert(source, tmp_path / "out")
    assert made.tally.num_shards == len(source)
    assert_same_pixels(made.samples, source)


def test_the_same_samples_give_the_same_bytes(photo_folder: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        convert(sl.index(photo_folder), tmp_path / name)
    names = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one" / "shards").iterdir())
    assert len(names) == 2
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_packed_study_can_be_moved_and_packed_again(photo_folder: Path, tmp_path: Path) -> None:
    source = sl.index(photo_folder).hashed()
    convert(source, tmp_path / "out")
    shutil.move(tmp_path / "out", tmp_path / "elsewhere")
    moved = sl.Study.open(tmp_path / "elsewhere").read_samples()
    shutil.rmtree(photo_folder)
    again = convert(moved, tmp_path / "again")
    assert again.samples.table["content_sha256"].equals(source.table["content_sha256"])
    shard = "shards/shard-00000.tar"
    assert (tmp_path / "again" / shard).read_bytes() == (tmp_path / "elsewhere" / shard).read_bytes()


def test_looks_at_a_packed_test_are_looks_at_the_same(photo_folder: Path, tmp_path: Path) -> None:
    source = sl.index(photo_folder)
    splits = sl.split(source)
    for name, how in (("same", {}), ("lossy", {"quality": 50})):
        made = convert(source, tmp_path / name, splits=splits, **how)
        carried = sl.Splits.read(made.study.splits_path)
        assert carried.digest == splits.digest
        assert made.study.about["artifacts"]["splits"] == splits.digest
        for again in (carried, sl.split(made.samples)):
            assert again.test is not None
            assert splits.test is not None
            assert again.test.fingerprint == splits.test.fingerprint
    assert splits.test is not None
    Ledger(tmp_path / "ledger.jsonl").open(splits.test, checkpoints=["x"])
    with pytest.raises(LedgerError, match="this would be look 2"):
        Ledger(tmp_path / "same" / "ledger.jsonl").require(splits.test, None)


def test_splits_of_other_samples_are_refused(photo_folder: Path, tmp_path: Path) -> None:
    splits = sl.split(sl.index(photo_folder))
    with pytest.raises(DataError, match="made for other samples"):
        convert(sl.index(photo_folder, limit=0.5), tmp_path / "out", splits=splits)
    assert not (tmp_path / "out").exists()


def test_arrays_are_refused_with_advice(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    with pytest.raises(DataError, match="one gather already"):
        convert(sl.index("digits", limit=0.1), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(photo_folder: Path, tmp_path: Path) -> None:
    source = sl.index(photo_folder, limit=0.2)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for name in (tmp_path / "folder", tmp_path / "file", tmp_path / "link", "."):
        with pytest.raises(DataError, match="overwrites nothing"):
            convert(source, name)
    with pytest.raises(DataError, match="Did you mean 'packed'"):
        convert(source, tmp_path / "new", to="pakced")


def test_a_place_that_cannot_be(photo_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be made: Not a directory"):
        convert(sl.index(photo_folder, limit=0.2), tmp_path / "file" / "out")


@pytest.mark.parametrize("change", ["gone", "other pixels", "no image"])
@pytest.mark.parametrize("how", [{}, {"quality": 80}])
def test_a_source_that_changed_is_refused(
    photo_folder: Path, tmp_path: Path, change: str, how: dict[str, int]
) -> None:
    source = sl.index(photo_folder).hashed()
    file = photo_folder / "train" / "dark" / "003.jpg"
    if change == "gone":
        file.unlink()
    else:
        file.write_bytes(jpeg(7) if change == "other pixels" else b"words")
    with pytest.raises(DataError, match=r"train/dark/003\.jpg: .*could be read when the study was made"):
        convert(source, tmp_path / "out", **how)
    assert [p.name for p in tmp_path.iterdir()] == ["photos"]


def test_a_recoding_that_changes_pixels_is_not_stored(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = sl.index(photo_folder, limit=0.2)
    monkeypatch.setattr(packed, "recoded", lambda data: recoded(jpeg(1, 32, 40)))
    made = convert(source, tmp_path / "out")
    assert made.tally.as_they_are == {"pixels would change": len(source)}
    assert_same_pixels(made.samples, source)


def test_a_full_disk_leaves_nothing(photo_folder: Path, tmp_path: Path) -> None:
    source = sl.index(photo_folder).hashed()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(DataError, match=r"Could not write .*shard-00000\.tar: File too large"):
            convert(source, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [p.name for p in tmp_path.iterdir()] == ["photos"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.EIO, os.strerror(errno.EIO))])
def test_an_end_on_the_way_leaves_nothing(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    source = sl.index(photo_folder).hashed()

    def fails(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(conversion.Splits, "write", fails)
    with pytest.raises(type(error)):
        convert(source, tmp_path / "out", splits=sl.split(source))
    assert [p.name for p in tmp_path.iterdir()] == ["photos"]


def test_a_kill_leaves_no_half_study(photo_folder: Path, tmp_path: Path) -> None:
    code = f"""
import os, signal
import sightline as sl
from sightline.conversion import tar_shards
tar_shards.SHARD_BYTES = 20_000
close = tar_shards.TarShards._finish
def closes(self):
    close(self)
    if self.num_shards == 2:
        os.kill(os.getpid(), signal.SIGKILL)
tar_shards.TarShards._finish = closes
sl.convert(sl.index({str(photo_folder)!r}), {str(tmp_path / "out")!r})
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    [left] = tmp_path.glob("*.partial")
    assert left.name.startswith("out.")
    convert(sl.index(photo_folder, limit=0.2), tmp_path / "out")


def test_smaller_images_on_request(tmp_path: Path) -> None:
    sizes = {"a/wide.jpg": (40, 90), "a/small.jpg": (30, 20), "b/tall.png": (80, 10), "b/small.png": (10, 10)}
    files = {
        name: encoded(Image.fromarray(picture(6, 9)).resize(size[::-1]), "PNG" if name.endswith("png") else "JPEG")
        for name, size in sizes.items()
    }
    source = sl.index(write_files(tmp_path / "source", files)).hashed()
    made = convert(source, tmp_path / "out", max_side=45)
    rows = {r["key"]: r for r in made.samples.table.to_pylist()}
    reader = made.samples.reader()
    for i, key in enumerate(made.samples.column("key")):
        old, new = source.table["image"][i].as_py(), rows[key]["image"]
        height, width = reader.pixels(i).values.shape[:2]
        assert (new["height"], new["width"]) == (height, width)
        assert (new == old | {n: new[n] for n in ("root", "path", "container", "offset", "length", "row")}) == (
            max(sizes[key]) <= 45
        )
        assert max(height, width) <= 45
    assert rows["b/tall.png"]["image"]["codec"] == "jpeg"
    place = SCHEMA.get_field_index("content_sha256")
    unread = made.samples.table.set_column(place, SCHEMA.field(place), pa.nulls(4, SCHEMA.field(place).type))
    read = replace(made.samples, table=unread).hashed()
    for name in ("pixel_sha256", "pixel_sums"):
        assert read.column(name) == made.samples.column(name)
    said = made.to_json()
    assert said["encoding"] == {"quality": None, "max_side": 45, "subsampling": "4:4:4"}
    assert (said["recoded"], said["encoded"], said["as_they_are"]) == (1, 2, {"png": 1})
    assert said["psnr_db"]["min"] <= said["psnr_db"]["mean"]
    assert made.samples.notes[-1] == "larger images encoded again: JPEG quality 95, 4:4:4, longest side at most 45"
    assert made.samples.digest == source.digest


def test_what_a_jpeg_cannot_hold_stays(odd: SampleTable, tmp_path: Path) -> None:
    made = convert(odd, tmp_path / "out", quality=90)
    assert made.tally.as_they_are == {"16 bits": 1, "transparency": 1}
    assert made.to_json()["encoded"] == int(odd.hashed().is_ok.sum()) - 2
    assert "encoded again, PSNR mean" in repr(made)
