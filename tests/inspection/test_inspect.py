"""The pass: one decoding gives what a full read gives, what is broken is a row, and a stored look is found again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import sightline as sl
from sightline.audits import audit
from sightline.errors import DataError, MissingExtraError, VersionError
from sightline.inspection import SCHEMA, Inspection, OtherSamplesError, inspect, storing, values
from sightline.inspection import reading as pass_
from sightline.pipeline import verb
from sightline.samples import SampleTable
from sightline.study import Study
from tests.sources import ODD_BUT_READABLE, TRUNCATED, UNREADABLE, encoded, jpeg, picture, write_files
from tests.tables import plain_samples

FINGERPRINTS = ["status", "reason", "content_sha256", "pixel_sha256", "pixel_sums"]


@pytest.fixture
def odd(tmp_path: Path) -> SampleTable:
    """Every file that is unusual or broken, in two classes."""
    files = {name: case[0] for name, case in ODD_BUT_READABLE.items()} | dict(TRUNCATED)
    files |= {name: case[0] for name, case in UNREADABLE.items()}
    return sl.index(write_files(tmp_path / "odd", {f"c{i % 2}/{name}": data for i, (name, data) in
                                                   enumerate(sorted(files.items()))}))  # fmt: skip


def test_one_decoding_gives_both(odd: SampleTable) -> None:
    inspection = inspect(odd)
    assert inspection.samples.table.equals(odd.hashed().table)
    assert inspection.samples.digest == odd.digest
    assert not odd.is_hashed
    assert inspection.samples.is_hashed
    again = inspect(inspection.samples)
    assert again.samples is inspection.samples
    assert again.table.equals(inspection.table)


def test_what_is_broken_is_a_row_of_nulls_with_a_reason(odd: SampleTable) -> None:
    inspection = inspect(odd)
    assert inspection.table.schema.equals(SCHEMA)
    is_ok = odd.hashed().is_ok
    np.testing.assert_array_equal(inspection.is_seen, is_ok)
    keys = {key.split("/")[1]: i for i, key in enumerate(odd.column("key"))}
    rows = inspection.table.to_pylist()
    for name in (*UNREADABLE, *TRUNCATED):
        row = rows[keys[name]]
        assert row["unread"]
        assert row["luminance_mean"] is row["bars_top"] is row["corners"] is None
        assert not inspection.thumbnails_of([keys[name]]).any()
    assert rows[keys["zero.jpg"]]["begins_as"] == "empty"
    assert rows[keys["words.jpg"]]["begins_as"] == "text"
    assert rows[keys["half.jpg"]]["begins_as"] == "jpeg"
    assert rows[keys["png_named.jpg"]]["suffix"] == ".jpg"
    assert rows[keys["no_suffix"]]["suffix"] == ""
    assert rows[keys["palette_alpha.png"]]["transparent_share"] > 0


def test_rows_without_images_are_nulls() -> None:
    inspection = inspect(plain_samples([2, 3]))
    assert not inspection.is_seen.any()
    assert np.isnan(inspection.column("sharpness")).all()
    assert not inspection.thumbnails().any()


def test_columns_as_numpy(odd: SampleTable) -> None:
    inspection = inspect(odd)
    n = len(odd)
    assert inspection.column("luminance_p50").dtype == np.float32
    assert inspection.column("corners").shape == (n, 12)
    assert inspection.column("border").shape == (n, 3)
    assert inspection.column("suffix").tolist()[0].startswith(".")
    assert inspection.column("taken").dtype == np.dtype("datetime64[us]")
    for name in SCHEMA.names:
        assert len(inspection.column(name)) == n
    with pytest.raises(DataError, match="no column 'sharpnes'"):
        inspection.column("sharpnes")


def test_small_images_have_small_thumbnails(tmp_path: Path) -> None:
    small = {f"c{i % 2}/{i}.png": encoded(Image.fromarray(picture(32, 32, seed=i)), "PNG") for i in range(4)}
    inspection = inspect(sl.index(write_files(tmp_path / "small", small)))
    assert inspection.side == 32
    np.testing.assert_array_equal(inspection.thumbnails()[0], picture(32, 32, seed=0))
    large = {name: encoded(Image.fromarray(picture(60, 50)), "PNG") for name in small}
    assert inspect(sl.index(write_files(tmp_path / "large", large))).side == 64


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SampleTable:
    """Thirty images read in blocks of seven rows, stored in groups of fourteen."""
    monkeypatch.setattr("sightline.samples.reading.BLOCK", 7)
    monkeypatch.setattr(storing, "ROWS_PER_GROUP", 10)
    files = {f"c{i % 3}/{i:02d}.jpg": jpeg(i, 20, 24) if i != 11 else b"" for i in range(30)}
    return sl.index(write_files(tmp_path / "many", files))


def test_a_stored_look_is_the_look(many: SampleTable, tmp_path: Path) -> None:
    kept, stored = inspect(many), inspect(many, to=tmp_path / "i.parquet")
    back = Inspection.read(tmp_path / "i.parquet", stored.samples)
    for other in (stored, back):
        assert other.table.equals(kept.table)
        assert other.side == kept.side == 32
        for start, stop in ((0, 30), (3, 4), (9, 22), (28, 99), (5, 5)):
            np.testing.assert_array_equal(other.thumbnails(start, stop), kept.thumbnails(start, stop))
        rows = [29, 0, 11, 13, 14, 14, 2]
        np.testing.assert_array_equal(other.thumbnails_of(rows), kept.thumbnails()[rows])
        part = other.take(np.arange(30) % 4 == 1)
        np.testing.assert_array_equal(part.thumbnails(2, 6), kept.thumbnails()[1::4][2:6])
        np.testing.assert_array_equal(part.take([5, 1]).thumbnails_of([1, 0]), kept.thumbnails()[[5, 21]])
        assert part.samples.column("key") == many.column("key")[1::4]


def test_a_look_at_other_samples_or_files_is_refused(many: SampleTable, tmp_path: Path) -> None:
    path = tmp_path / "i.parquet"
    read = inspect(many, to=path).samples
    assert len(Inspection.read(path, read)) == 30
    with pytest.raises(OtherSamplesError, match="other samples or of other files"):
        Inspection.read(path, read.take(range(29)))
    (tmp_path / "many" / "c0" / "00.jpg").write_bytes(jpeg(99, 20, 24))
    with pytest.raises(OtherSamplesError):
        Inspection.read(path, many.hashed())
    path.write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        Inspection.read(path, read)
    read.write(path, tmp_path / "classes.parquet")
    with pytest.raises(DataError, match="holds no inspection"):
        Inspection.read(path, read)
    with pytest.raises(DataError, match="does not exist"):
        Inspection.read(tmp_path / "none", read)


def test_a_newer_look_is_refused(many: SampleTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "VERSION", values.VERSION + 1)
    read = inspect(many, to=tmp_path / "i.parquet").samples
    with pytest.raises(VersionError, match="newer version"):
        Inspection.read(tmp_path / "i.parquet", read)


def test_what_an_older_version_measured_is_measured_again(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verb("index")(str(photo_folder), tmp_path / "study")
    with monkeypatch.context() as before:
        before.setattr(storing, "VERSION", values.VERSION - 1)
        verb("split")(tmp_path / "study")
    home = Study.open(tmp_path / "study")
    older, about = pq.read_table(home.inspection_path), pq.read_metadata(home.inspection_path).metadata
    kept = {values.ABOUT: about[values.ABOUT.encode()]}
    pq.write_table(older.drop_columns(["flatness"]).replace_schema_metadata(kept), home.inspection_path)
    with pytest.raises(OtherSamplesError, match="earlier version"):
        Inspection.read(home.inspection_path, home.read_samples())
    verb("audit")(tmp_path / "study", checks=["quality"])
    assert len(Inspection.read(home.inspection_path, home.read_samples())) == 80


def test_a_pass_that_ends_early_leaves_nothing(
    many: SampleTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(pixels: Any, side: int) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(pass_, "picture_of", fail)
    with pytest.raises(KeyboardInterrupt):
        inspect(many, to=tmp_path / "study" / "i.parquet")
    assert list((tmp_path / "study").iterdir()) == []


def test_threads_change_nothing(many: SampleTable, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = []
    for cores in (1, 5):
        monkeypatch.setattr("sightline.samples.reading.os.cpu_count", lambda cores=cores: cores)
        inspection = inspect(many)
        tables.append((inspection.table, inspection.thumbnails().tobytes()))
    assert tables[0][0].equals(tables[1][0])
    assert tables[0][1] == tables[1][1]


def test_without_verification_nothing_is_hashed_and_large_images_are_read_small(tmp_path: Path) -> None:
    smooth = Image.fromarray(picture(12, 16)).resize((1800, 1300), Image.Resampling.BICUBIC)
    files = {"a/big.jpg": encoded(smooth, "JPEG"), "b/small.jpg": jpeg(3, 100, 80)}
    samples = sl.index(write_files(tmp_path / "s", files))
    quick, whole = inspect(samples, verify=False), inspect(samples)
    assert quick.samples is samples
    assert np.abs(quick.thumbnails().astype(int) - whole.thumbnails()).max() <= 6
    np.testing.assert_allclose(quick.column("luminance_mean"), whole.column("luminance_mean"), atol=0.01)
    np.testing.assert_allclose(quick.column("sharpness")[1], whole.column("sharpness")[1])


def test_no_damage_ends_the_pass(tmp_path: Path) -> None:
    """Sixty files of six codecs with bytes changed and ends cut: each has a picture, or a reason why not."""
    rng = np.random.default_rng(0)
    image = Image.fromarray(picture(60, 70))
    whole = [encoded(image, codec) for codec in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")]
    files = {}
    for i in range(60):
        data = bytearray(whole[i % 6])
        for at in rng.integers(0, len(data), rng.integers(1, 12)):
            data[at] = rng.integers(0, 256)
        cut = len(data) if i % 3 else int(rng.integers(1, len(data)))
        files[f"c{i % 2}/{i:02d}.jpg"] = bytes(data[:cut])
    samples = sl.index(write_files(tmp_path / "damaged", files))
    inspection = inspect(samples)
    assert len(inspection) == 60
    assert 10 < inspection.is_seen.sum() < 50
    np.testing.assert_array_equal(inspection.is_seen, [r is None for r in inspection.column("unread")])
    np.testing.assert_array_equal(inspection.is_seen, inspection.samples.is_ok)
    found = audit(inspection.samples, checks=["quality", "unreadable"], inspection=inspection)
    assert len(found) > (~inspection.is_seen).sum()


def test_missing_opencv_is_told_and_split_does_without(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verb("index")(str(photo_folder), tmp_path / "study")
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingExtraError, match=r"sightline\[audit\]"):
        inspect(sl.index(photo_folder))
    verb("split")(tmp_path / "study")
    home = Study.open(tmp_path / "study")
    assert home.read_samples().is_hashed
    assert not home.inspection_path.exists()


def test_a_study_is_looked_at_once(photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verb("index")(str(photo_folder), tmp_path / "study")
    verb("split")(tmp_path / "study")
    home = Study.open(tmp_path / "study")
    assert len(Inspection.read(home.inspection_path, home.read_samples())) == 80

    def refuse(*args: Any, **options: Any) -> Any:
        raise AssertionError("the images were read before")

    monkeypatch.setattr("sightline.pipeline.data.inspect", refuse)
    verb("audit")(tmp_path / "study", checks=["quality"])
    home.inspection_path.unlink()
    with pytest.raises(AssertionError):
        verb("audit")(tmp_path / "study", checks=["quality"])
