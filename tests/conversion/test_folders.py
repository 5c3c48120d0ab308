"""Folders for other tools: every sample comes back as it was, from every layout; all of it or nothing."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import sightline as sl
from sightline.conversion import folders
from sightline.errors import DataError, MissingExtraError
from sightline.samples import SampleTable, table_from_rows
from tests.conversion.odd import FOLDERS, needed, rows, table
from tests.conversion.odd import keys as odd_keys
from tests.sources import encoded, exif_jpeg, jpeg, picture, png16, write_files, write_idx

BACK = ["sample_id", "key", "ordinal", "dataset", "split", "group_id", "groups", "time", "label", "labels", "boxes",
        "captions", "scalars", "extra", "status", "reason", "content_sha256", "pixel_sha256", "pixel_sums"]  # fmt: skip


def there_and_back(samples: SampleTable, out: Path, to: str) -> SampleTable:
    """What `index` and a full read find in a folder that was made of samples."""
    made = sl.convert(samples, out, to=to)
    back = sl.index(out)
    assert (made.study, made.place, made.samples.digest) == (None, out, back.digest)
    read = back.hashed()
    assert made.samples.table.select(BACK[:-4]).equals(read.table.select(BACK[:-4]))
    for name in ("content_sha256", "pixel_sha256"):
        told, found = made.samples.column(name), read.column(name)
        assert [v for v, ok in zip(told, read.is_ok, strict=True) if ok] == [
            v for v, ok in zip(found, read.is_ok, strict=True) if ok
        ]
    return read


@pytest.mark.parametrize("to", FOLDERS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(named=st.dictionaries(odd_keys, rows, min_size=1, max_size=8), has_splits=st.booleans())
def test_every_sample_comes_back_as_it_was(to: str, named: dict[str, Any], has_splits: bool) -> None:
    needed(to)
    with tempfile.TemporaryDirectory() as place:
        source = table(Path(place) / "source", named, has_splits)
        if to == "class-folders" and not source.is_labelled.any():
            with pytest.raises(DataError, match="Choose webdataset, parquet or manifest"):
                sl.convert(source, Path(place) / "out", to=to)
            return
        back = there_and_back(source, Path(place) / "out", to)
        assert back.table.select(BACK).to_pylist() == source.hashed().table.select(BACK).to_pylist()
        assert (back.classes, back.spaces, back.name, back.notes) == (
            source.classes, source.spaces, source.name, source.notes,
        )  # fmt: skip
        assert back.digest == source.digest


@pytest.mark.parametrize("to", FOLDERS)
def test_the_same_samples_give_the_same_bytes(to: str, photo_folder: Path, tmp_path: Path) -> None:
    needed(to)
    source = sl.index(photo_folder)
    for name in ("one", "two"):
        sl.convert(source, tmp_path / name, to=to)
    files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file())
    assert len(files) > 5
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


@pytest.mark.parametrize("to", FOLDERS)
def test_arrays_become_pngs_of_the_same_pixels(to: str, tmp_path: Path) -> None:
    needed(to)
    values = picture(6, 7 * 5, channels=1).reshape(6, 7, 5)
    source = sl.index(write_idx(tmp_path / "idx", values, np.array([3, 1, 0, 1, 2, 9], np.uint8))).hashed()
    made = sl.convert(source, tmp_path / "out", to=to)
    back = sl.index(tmp_path / "out").hashed()
    assert made.tally.as_png == {"arrays": 6}
    assert back.digest == source.digest
    assert back.column("pixel_sha256") == source.column("pixel_sha256")
    assert {image["codec"] for image in back.column("image")} == {"png"}
    np.testing.assert_array_equal(back.reader().pixels(4).values[:, :, 0], values[4])


def cropped(folder: Path) -> SampleTable:
    """Two crops of one image, of which the second reaches beyond it, of each of three images."""
    files = {"a/plain.jpg": jpeg(1, 20, 30), "b/turned.jpg": exif_jpeg(6), "b/deep.png": png16(8, 9)}
    samples = sl.index(write_files(folder, files))
    box = [{"space": "", "id": 1, "x0": 4, "y0": 5, "x1": 7, "y1": 8, "track": None, "flags": 0}]
    twice = samples.table.take([0, 0, 1, 1, 2, 2]).to_pylist()
    for i, row in enumerate(twice):
        row |= {"sample_id": bytes([i]) * 16, "key": f"{row['key']}#{i}", "boxes": box, "ordinal": i}
        row["crop"] = [1.5, 2, 6, 7] if i % 2 else [3, 3.2, 900, 901]
    return replace(samples, table=table_from_rows(twice))


@pytest.mark.parametrize("to", ["class-folders", "parquet"])
def test_a_crop_becomes_an_image_of_its_own(to: str, tmp_path: Path) -> None:
    source = cropped(tmp_path / "source").hashed()
    made = sl.convert(source, tmp_path / "out", to=to)
    back = sl.index(tmp_path / "out").hashed()
    assert made.tally.as_png == {"crops": 6}
    assert back.column("pixel_sha256") == source.column("pixel_sha256")
    assert back.column("crop") == [None] * 6
    assert back.column("sample_id") == source.column("sample_id")
    assert [b[0]["x0"] for b in back.column("boxes")] == [1, 3] * 3
    assert [b[0]["y1"] for b in back.column("boxes")] == [5, 6] * 3
    assert [image["exif_orientation"] for image in back.column("image")] == [None] * 4 + [6, 6]
    assert [image["bits"] for image in back.column("image")] == [8, 8, 16, 16, 8, 8]


@pytest.mark.parametrize("kind", ["tiff", "dicom"])
def test_frames_become_pngs_with_all_their_bits(kind: str, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (2, 3, 9, 11)).astype(np.uint16)
    for name, frames in zip("ab", values, strict=True):
        if kind == "tiff":
            tifffile = pytest.importorskip("tifffile", reason="the extra `tiff` is not installed")
            (tmp_path / "source" / name).mkdir(parents=True)
            tifffile.imwrite(tmp_path / "source" / name / "stack.tif", frames, photometric="minisblack")
        else:
            pytest.importorskip("pydicom", reason="the extra `medical` is not installed")
            from tests.dicoms import dicom

            dicom(tmp_path / "source" / name / "scan.dcm", frames, patient="p")
    source = sl.index(tmp_path / "source").hashed()
    made = sl.convert(source, tmp_path / "out", to="class-folders")
    back = sl.index(tmp_path / "out").hashed()
    assert made.tally.as_png == {"frames": 6}
    assert (back.digest, back.column("groups")) == (source.digest, source.column("groups"))
    assert back.column("pixel_sha256") == source.column("pixel_sha256")
    assert {image["bits"] for image in back.column("image")} == {16}


def test_a_sample_that_cannot_be_read_stays_so(tmp_path: Path) -> None:
    """Bytes that would be an image by themselves, of a sample that was refused for another reason."""
    crops = cropped(tmp_path / "source")
    changed = crops.table.to_pylist()
    changed[1]["crop"] = [500, 500, 600, 600]
    changed[4] |= {"crop": None, "status": "unreadable", "reason": "its checksum is wrong"}
    source = replace(crops, table=table_from_rows(changed)).hashed()
    sl.convert(source, tmp_path / "out", to="webdataset")
    back = sl.index(tmp_path / "out").hashed()
    assert back.column("status") == source.column("status") == ["ok", "unreadable", "ok", "ok", "unreadable", "ok"]
    assert back.column("reason") == source.column("reason")
    assert not (tmp_path / "out" / "unreadable").exists()


def test_a_missing_extra_is_named(photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for to, package in (("tfrecord", "google_crc32c"), ("lmdb", "lmdb")):
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.delitem(sys.modules, f"sightline.conversion.{to}", raising=False)
        with pytest.raises(MissingExtraError, match=rf"Converting to {to} needs .*sightline\[{to}\]"):
            sl.convert(sl.index(photo_folder, limit=0.2), tmp_path / "out", to=to)
    assert not (tmp_path / "out").exists()


def test_only_copies_of_what_was_indexed(photo_folder: Path, tmp_path: Path) -> None:
    source = sl.index(photo_folder).hashed()
    file = photo_folder / "val" / "dark" / "003.jpg"
    for data in (jpeg(5), b"words", None):
        file.write_bytes(data) if data else file.unlink()
        with pytest.raises(DataError, match=r"val/dark/003\.jpg: .*could be read when the study was made"):
            sl.convert(source, tmp_path / "out", to="webdataset")
    assert [p.name for p in tmp_path.iterdir()] == ["photos"]


def test_a_packed_study_can_go_on_to_other_tools(photo_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("numba", reason="the extra `pack` is not installed")
    source = sl.index(photo_folder, limit=0.3)
    small = sl.convert(source, tmp_path / "packed", max_side=20).samples
    made = sl.convert(small, tmp_path / "out", to="class-folders")
    back = sl.index(tmp_path / "out").hashed()
    assert back.column("pixel_sha256") == small.column("pixel_sha256")
    assert back.column("content_sha256") == made.samples.column("content_sha256") != small.column("content_sha256")
    assert back.digest == source.digest


def test_from_one_layout_to_the_next_nothing_is_lost(photo_folder: Path, tmp_path: Path) -> None:
    source = sl.index(photo_folder, limit=0.3).hashed()
    samples = source
    for to in FOLDERS:
        needed(to)
        sl.convert(samples, tmp_path / to, to=to)
        samples = sl.index(tmp_path / to)
    assert samples.digest == source.digest
    assert samples.hashed().column("content_sha256") == source.column("content_sha256")


def test_lossy_encoding_goes_through_packed(photo_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="convert STUDY --to packed SMALLER, then"):
        sl.convert(sl.index(photo_folder, limit=0.2), tmp_path / "out", to="parquet", quality=80)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", FOLDERS)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.EIO, os.strerror(errno.EIO))])
def test_an_end_on_the_way_leaves_nothing(
    to: str, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    needed(to)
    source, count = sl.index(photo_folder).hashed(), folders._count
    done = []

    def fails(*about: Any) -> None:
        count(*about)
        done.append(1)
        if len(done) == 30:
            raise error

    monkeypatch.setattr(folders, "_count", fails)
    with pytest.raises(KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else DataError):
        sl.convert(source, tmp_path / "out", to=to)
    assert [p.name for p in tmp_path.iterdir()] == ["photos"]


@pytest.mark.parametrize("to", [f for f in FOLDERS if f not in {"class-folders"}])
def test_a_full_disk_leaves_nothing(to: str, photo_folder: Path, tmp_path: Path) -> None:
    needed(to)
    source = sl.index(photo_folder).hashed()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, limits[1]))
    try:
        with pytest.raises(DataError, match=r"Could not write .*Nothing is left of it"):
            sl.convert(source, tmp_path / "out", to=to)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [p.name for p in tmp_path.iterdir()] == ["photos"]


@pytest.mark.parametrize("to", ["class-folders", "manifest"])
def test_single_files_are_synced_together(
    to: str, photo_folder: Path, tmp_path: Path, synced: list[int]
) -> None:
    sl.convert(sl.index(photo_folder, limit=0.2), tmp_path / "out", to=to)
    assert synced == [1]


def test_a_folder_moves_and_its_test_is_the_same_test(photo_folder: Path, tmp_path: Path) -> None:
    source = sl.index(photo_folder)
    sl.convert(source, tmp_path / "out", to="webdataset", splits=sl.split(source))
    shutil.move(tmp_path / "out", tmp_path / "elsewhere")
    shutil.rmtree(photo_folder)
    there, again = sl.split(source), sl.split(sl.index(tmp_path / "elsewhere"))
    assert there.test is not None
    assert again.test is not None
    assert again.digest == there.digest
    assert again.test.fingerprint == there.test.fingerprint


def test_a_part_of_a_folder_is_indexed_like_a_part_of_its_source(photo_folder: Path, tmp_path: Path) -> None:
    sl.convert(sl.index(photo_folder), tmp_path / "out", to="parquet")
    for options in ({"limit": 0.25}, {"classes": ["dark", "bright"], "limit": 0.5}):
        source, back = (sl.index(place, **options) for place in (photo_folder, tmp_path / "out"))
        assert back.digest == source.digest
        assert back.subset == source.subset


def test_a_gif_keeps_its_frames(tmp_path: Path) -> None:
    frames = [Image.fromarray(picture(seed=i)) for i in range(3)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    source = sl.index(write_files(tmp_path / "source", {"a/moving.gif": data, "b/x.jpg": jpeg()}))
    sl.convert(source, tmp_path / "out", to="class-folders")
    assert (tmp_path / "out" / "a" / "moving.gif").read_bytes() == data
