from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import sightline as sl
from sightline.errors import DataError
from tests.sources import jpeg, png16, write_files

pydicom = pytest.importorskip("pydicom", reason="the extra `medical` is not installed")
tifffile = pytest.importorskip("tifffile", reason="the extra `tiff` is not installed")
from pydicom.uid import JPEGLSLossless, RLELossless  # noqa: E402

from tests.dicoms import compressed, dicom  # noqa: E402


def scan(seed: int, level: int = 0, frames: int = 0) -> np.ndarray[Any, Any]:
    shape = (frames, 24, 32) if frames else (24, 32)
    return np.random.default_rng(seed).integers(0, 2000, shape).astype(np.uint16) + np.uint16(level)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two classes of ten patients each with two studies, one of them with frames."""
    for c, name in enumerate(("healthy", "ill")):
        for patient in range(10):
            who = f"{name[0]}{patient}"
            dicom(tmp_path / name / who / "IM0001", scan(patient, 2000 * c), patient=who, study=f"1.{c}.{patient}.1",
                  RescaleSlope=1, RescaleIntercept=-1024, ViewPosition="PA")  # fmt: skip
            dicom(tmp_path / name / who / "1.2.840.5", scan(patient, 2000 * c, frames=2), patient=who,
                  study=f"1.{c}.{patient}.2")  # fmt: skip
    return tmp_path


def test_a_folder_of_dicom_goes_through_index_split_and_loader(scans: Path) -> None:
    pytest.importorskip("torch")
    samples = sl.index(scans)
    assert len(samples) == 60
    assert samples.column("key")[:3] == ["healthy/h0/1.2.840.5#0", "healthy/h0/1.2.840.5#1", "healthy/h0/IM0001"]
    assert set(samples.column("group_id")) == {f"patient:{c}{i}" for c in "hi" for i in range(10)}
    assert "grouped by patient, series, study" in samples.notes
    assert json.loads(samples.column("extra")[2]) == {"modality": "OT", "view": "PA"}

    splits = sl.split(samples.hashed(), val=0.2, test=0.2)
    patients = {
        part: {samples.column("group_id")[i] for i in samples.positions(ids)}
        for part, ids in (("train", splits.train.ids), ("val", splits.val.ids))
    }
    assert not patients["train"] & patients["val"]
    contract = sl.Preprocessing.from_training_split(samples.hashed(), splits, size=(24, 24))
    assert contract.bits == (16,)
    train = samples.hashed().take(splits.train)
    batch = next(iter(sl.Loader(train, preprocessing=contract, batch_size=len(train))))
    assert tuple(batch.images_bchw.shape) == (len(train), 1, 24, 24)
    assert abs(float(batch.images_bchw.mean())) < 0.1
    assert 0.9 < float(batch.images_bchw.std()) < 1.1  # the middle of each image, and all of it counted


def test_what_a_frame_holds(scans: Path) -> None:
    samples = sl.index(scans)
    want = scan(0, 0, frames=2)[1].astype(float) / 4095
    got = samples.reader().pixels(1)
    assert got.bits == 16
    assert np.array_equal(got.values[..., 0], np.rint(want * 65535))
    payload = samples.reader().payload(1)
    assert payload == scan(0, 0, frames=2)[1].tobytes()


def test_a_window_of_hounsfield_units_by_word(tmp_path: Path) -> None:
    for name in ("a", "b"):
        dicom(tmp_path / name / f"{name}.dcm", scan(1), patient="", RescaleSlope=1, RescaleIntercept=-1024,
              WindowCenter=0, WindowWidth=100)  # fmt: skip
    suggested, lung = sl.index(tmp_path), sl.index(f"{tmp_path}#ct-lung")
    unit = np.clip((scan(1) - 1024.0 + 600) / 1500 + 0.5, 0, 1)
    assert np.array_equal(lung.reader().pixels(0).values[..., 0], np.rint(unit * 65535))
    assert not np.array_equal(lung.reader().pixels(0).values, suggested.reader().pixels(0).values)
    assert lung.digest == suggested.digest  # the same samples, shown otherwise
    with pytest.raises(DataError, match="no view 'lung'"):
        sl.index(f"{tmp_path}#lung")
    with pytest.raises(DataError, match="in one way"):
        sl.index(f"{tmp_path}#ct-lung,ct-bone")


@pytest.mark.parametrize("who", ["", "ANON", "Anonymized", "000000", "unknown"])
def test_a_patient_id_that_stands_for_nobody_ties_nobody(tmp_path: Path, who: str) -> None:
    for i, name in enumerate("aabb"):
        dicom(tmp_path / name / f"{i}.dcm", scan(i), patient=who, study=f"1.2.{i}")
    samples = sl.index(tmp_path)
    assert len(set(samples.column("group_id"))) == 4
    assert {g["kind"] for groups in samples.column("groups") for g in groups} == {"study", "series"}
    assert "no patient id: 4 files" in samples.notes


def test_a_patient_is_one_of_an_issuer(tmp_path: Path) -> None:
    for i, name in enumerate("ab"):
        dicom(tmp_path / name / "1.dcm", scan(i), patient="7", study=f"1.2.{i}", IssuerOfPatientID=f"H{i}")
        dicom(tmp_path / name / "2.dcm", scan(i + 2), patient="8", study=f"1.3.{i}", IssuerOfPatientID="H0")
    assert sl.index(tmp_path).column("group_id") == ["patient:H0/7", "patient:H0/8", "patient:H1/7", "patient:H0/8"]


def test_folders_of_patients_are_no_classes(tmp_path: Path) -> None:
    for who in ("P1", "P2", "P3"):
        dicom(tmp_path / who / "1.dcm", scan(1), patient=who)
    with pytest.raises(DataError, match="folders are patients, not classes"):
        sl.index(tmp_path)


def test_a_table_of_dicom_files(tmp_path: Path) -> None:
    for i in range(4):
        dicom(tmp_path / f"{i}.dcm", scan(i), patient=f"P{i % 3}")
    (tmp_path / "list.csv").write_text("path,label\n" + "".join(f"{i}.dcm,{'ab'[i % 2]}\n" for i in range(4)))
    samples = sl.index(tmp_path / "list.csv")
    assert samples.column("group_id") == ["patient:P0", "patient:P1", "patient:P2", "patient:P0"]


def test_reports_are_passed_over_and_damage_is_a_row(tmp_path: Path) -> None:
    for name in "ab":
        dicom(tmp_path / name / "1.dcm", scan(1), patient=f"P{name}")
        dicom(tmp_path / name / "2.dcm", scan(2), patient=f"P{name}")
    dicom(tmp_path / "b" / "3.dcm", scan(3), patient="Pa")
    report = pydicom.dcmread(tmp_path / "a/2.dcm")
    del report.PixelData
    report.save_as(tmp_path / "a/2.dcm")
    cut = tmp_path / "b/2.dcm"
    cut.write_bytes(cut.read_bytes()[:-10])
    write_files(tmp_path, {"a/photo.jpg": jpeg(), "a/words": b"DICM is mentioned here"})
    samples = sl.index(tmp_path)
    assert samples.column("key") == ["a/1.dcm", "a/photo.jpg", "a/words", "b/1.dcm", "b/2.dcm", "b/3.dcm"]
    assert samples.column("status") == ["ok", "ok", "unreadable", "ok", "unreadable", "ok"]
    assert "end before frame 0" in samples.column("reason")[4]
    assert samples.column("group_id")[4] == samples.column("group_id")[3]
    assert "1 DICOM objects without an image passed over" in samples.notes


def test_a_compression_without_a_decoder_is_told_at_the_first_read(tmp_path: Path) -> None:
    for name in "ab":
        for i in range(2):
            compressed(dicom(tmp_path / name / f"{i}.dcm", scan(i), patient=f"P{i}"), RLELossless)
    target = tmp_path / "b/1.dcm"
    about = pydicom.dcmread(target)
    about.file_meta.TransferSyntaxUID = JPEGLSLossless
    about.save_as(target)
    read = sl.index(tmp_path).hashed()
    assert read.column("status") == ["ok"] * 3 + ["unreadable"]
    # Where a decoder is installed it finds that these bytes are something else.
    assert re.search("no (installed )?decoder .*JPEG-LS", read.column("reason")[3])


STACK = np.random.default_rng(5).integers(0, 60000, (3, 10, 12)).astype(np.uint16)
COLOURS = np.random.default_rng(6).integers(0, 60000, (3, 10, 12, 3)).astype(np.uint16)
PLANES = np.ascontiguousarray(COLOURS.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("values", "options", "container"),
    [
        (STACK, {}, "raw"),
        (STACK, {"byteorder": ">"}, "raw"),
        (STACK, {"bigtiff": True}, "raw"),
        (STACK, {"imagej": True}, "raw"),
        (STACK, {"compression": "zlib"}, "tiff"),
        (STACK, {"tile": (16, 16)}, "tiff"),
        ((STACK >> 8).astype(np.uint8), {}, "raw"),
        (COLOURS, {"photometric": "rgb"}, "raw"),
        (COLOURS, {"photometric": "rgb", "compression": "zlib"}, "tiff"),
        (PLANES, {"photometric": "rgb", "planarconfig": "separate"}, "tiff"),
        ((COLOURS >> 8).astype(np.uint8), {"photometric": "rgb", "compression": "zlib"}, "tiff"),
    ],
)  # fmt: skip
def test_pages_of_a_stack_are_samples(
    tmp_path: Path, values: np.ndarray[Any, Any], options: dict[str, Any], container: str
) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        tifffile.imwrite(tmp_path / name / "stack.tif", values, **({"photometric": "minisblack"} | options))
    samples = sl.index(tmp_path)
    assert samples.column("key") == [f"{name}/stack.tif#{i}" for name in "ab" for i in range(3)]
    assert set(samples.column("group_id")) == {"file:a/stack.tif", "file:b/stack.tif"}
    assert samples.column("image")[0]["codec"] == container
    assert samples.hashed().is_ok.all()
    for i in range(3):
        page = values[i].transpose(1, 2, 0) if options.get("planarconfig") else values[i]
        found = samples.reader().pixels(i)
        assert found.bits == 8 * values.dtype.itemsize
        assert np.array_equal(found.values.squeeze(), page)
        assert samples.column("image")[i]["bits"] == found.bits
        assert (samples.column("image")[i]["height"], samples.column("image")[i]["width"]) == found.values.shape[:2]


def test_imagej_describes_one_page_of_many(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        tifffile.imwrite(tmp_path / name / "large.tif", STACK, imagej=True)
        cut_chain(tmp_path / name / "large.tif")
    samples = sl.index(tmp_path)
    assert len(samples) == 6
    assert np.array_equal(samples.reader().pixels(2).values[..., 0], STACK[2])


def test_pages_that_are_only_claimed_are_a_reason(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        tifffile.imwrite(tmp_path / name / "stack.tif", STACK, imagej=True)
    for name, claim in (("a", b"9"), ("b", b"8")):
        path = tmp_path / name / "stack.tif"
        cut_chain(path)
        path.write_bytes(path.read_bytes().replace(b"images=3\nchannels=3", b"images=%b\nchannels=%b" % (claim, claim)))
    write_files(tmp_path, {"a/1.jpg": jpeg(), "b/1.jpg": jpeg()})
    samples = sl.index(tmp_path)
    told = [r for r in samples.column("reason") if r]
    assert told == ["ImageJ wrote 9 images, of which 1 are there", "ImageJ wrote 8 images, of which 1 are there"]


def cut_chain(path: Path) -> None:
    """Make the first page the last, as ImageJ writes stacks of more than 4 GB."""
    data = bytearray(path.read_bytes())
    end = "little" if data[:2] == b"II" else "big"
    at = int.from_bytes(data[4:8], end)
    place = at + 2 + 12 * int.from_bytes(data[at : at + 2], end)
    data[place : place + 4] = bytes(4)
    path.write_bytes(data)


def test_a_pyramid_is_one_image(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        with tifffile.TiffWriter(tmp_path / name / "slide.tif") as writer:
            writer.write(STACK[0], photometric="minisblack")
            writer.write(STACK[0, ::2, ::2], photometric="minisblack", subfiletype=1)
    samples = sl.index(tmp_path)
    assert samples.column("key") == ["a/slide.tif", "b/slide.tif"]
    assert np.array_equal(samples.reader().pixels(0).values[..., 0], STACK[0])


def test_one_page_needs_no_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        Image.fromarray(STACK[0]).save(tmp_path / name / "one.tif")
        (tmp_path / name / "deep.png").write_bytes(png16())
    monkeypatch.setitem(__import__("sys").modules, "tifffile", None)
    assert sl.index(tmp_path).column("status") == ["ok"] * 4
    tifffile.imwrite(tmp_path / "a/stack.tif", STACK, photometric="minisblack")
    with pytest.raises(sl.SightlineError, match=r"sightline\[tiff\]"):
        sl.index(tmp_path)


@pytest.mark.parametrize("kind", [np.float32, np.int16, np.uint32])
def test_pages_of_other_numbers_are_a_row_with_a_reason(tmp_path: Path, kind: Any) -> None:
    for name, values in (("a", STACK), ("b", STACK.astype(kind))):
        (tmp_path / name).mkdir()
        tifffile.imwrite(tmp_path / name / "stack.tif", values, photometric="minisblack")
    samples = sl.index(tmp_path)
    assert samples.column("status") == ["ok"] * 3 + ["unreadable"]
    assert "not supported" in samples.column("reason")[3]


def test_a_cut_stack_is_a_row_with_a_reason(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        tifffile.imwrite(tmp_path / name / "stack.tif", STACK, photometric="minisblack")
    data = (tmp_path / "b/stack.tif").read_bytes()
    (tmp_path / "b/stack.tif").write_bytes(data[:60])
    (tmp_path / "a/stack.tif").write_bytes(data[:-900])
    samples = sl.index(tmp_path).hashed()
    assert "unreadable" in samples.column("status")
    assert samples.column("reason")[-1]
