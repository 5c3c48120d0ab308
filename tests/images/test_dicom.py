from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom", reason="the extra `medical` is not installed")
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from pydicom.pixels import apply_modality_lut, apply_voi_lut, pixel_array  # noqa: E402
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless  # noqa: E402

from sightline.errors import DataError, DecodeError  # noqa: E402
from sightline.images.containers import Reference  # noqa: E402
from sightline.images.containers.dicom import Dicom  # noqa: E402
from sightline.images.dicom import NoPixelsError, read_file  # noqa: E402
from tests.dicoms import compressed, dicom, item  # noqa: E402

VALUES = np.arange(0, 4096, 64, dtype=np.uint16).reshape(8, 8)


def pixels(path: Path, layout: str = "window", frame: int = 0) -> np.ndarray[Any, Any]:
    place = read_file(path).frame_at(frame) or (None, None)
    reference = Reference(str(path), None, *place, None, None, frame, layout)
    container = Dicom()
    found = container.pixels(reference, container.payload(reference))
    assert found.bits == 8 * found.values.dtype.itemsize
    return found.values


def levels(unit: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.rint(np.clip(unit, 0, 1) * 65535).astype(np.uint16)[..., None]


def test_twelve_bits_fill_sixteen_and_keep_every_step(tmp_path: Path) -> None:
    shown = pixels(dicom(tmp_path / "a.dcm", VALUES))
    assert np.array_equal(shown, levels(VALUES / 4095))
    assert len(np.unique(shown)) == 64


def test_monochrome1_is_turned_about(tmp_path: Path) -> None:
    shown = pixels(dicom(tmp_path / "a.dcm", VALUES, photometric="MONOCHROME1"))
    assert np.array_equal(shown, levels(1 - VALUES / 4095))


def test_bits_above_the_stored_ones_are_masked(tmp_path: Path) -> None:
    soiled = VALUES | np.uint16(0x5000)
    assert np.array_equal(pixels(dicom(tmp_path / "a.dcm", soiled)), levels(VALUES / 4095))


def test_signed_values_with_rescaling_and_the_first_of_two_windows(tmp_path: Path) -> None:
    stored = np.array([[-2048, -1024, 0, 40, 2047]], np.int16)
    path = dicom(tmp_path / "ct.dcm", stored, RescaleSlope=2, RescaleIntercept=-10, WindowCenter=[40, -600],
                 WindowWidth=[401, 1500])  # fmt: skip
    units = stored.astype(float) * 2 - 10
    assert np.array_equal(pixels(path), levels((units - 39.5) / 400 + 0.5))
    assert np.array_equal(pixels(path, "range"), levels((units + 4106) / 8190))
    assert np.array_equal(pixels(path, "window:-600,1500"), levels((units + 600) / 1500 + 0.5))


def test_a_negative_slope_turns_the_range(tmp_path: Path) -> None:
    path = dicom(tmp_path / "a.dcm", VALUES, RescaleSlope=-1, RescaleIntercept=0)
    assert np.array_equal(pixels(path), levels(1 - VALUES / 4095))


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_windows_are_those_of_pydicom(tmp_path: Path, function: str) -> None:
    path = dicom(tmp_path / "a.dcm", VALUES, WindowCenter=1800, WindowWidth=900, VOILUTFunction=function,
                 RescaleSlope=1.5, RescaleIntercept=-300)  # fmt: skip
    about = pydicom.dcmread(path)
    theirs = apply_voi_lut(apply_modality_lut(pixel_array(path), about), about)
    low, high = -300, 4095 * 1.5 - 300
    assert np.abs(pixels(path)[..., 0] - (theirs - low) / (high - low) * 65535).max() <= 0.51


@settings(max_examples=25, deadline=None)
@given(center=st.floats(-500, 5000), width=st.floats(1, 6000), is_signed=st.booleans(), stored=st.integers(9, 16))
def test_any_window_is_pydicoms(
    tmp_path_factory: pytest.TempPathFactory, center: float, width: float, is_signed: bool, stored: int
) -> None:
    rng = np.random.default_rng(stored)
    low, high = (-(2 ** (stored - 1)), 2 ** (stored - 1)) if is_signed else (0, 2**stored)
    values = rng.integers(low, high, (4, 5)).astype(np.int16 if is_signed else np.uint16)
    path = dicom(tmp_path_factory.mktemp("one") / "a.dcm", values, bits_stored=stored, WindowCenter=round(center, 2),
                 WindowWidth=round(width, 2))  # fmt: skip
    about = pydicom.dcmread(path)
    theirs = apply_voi_lut(pixel_array(path), about)
    assert np.abs(pixels(path)[..., 0] - (theirs - low) / (high - 1 - low) * 65535).max() <= 0.51


def test_tables_instead_of_windows(tmp_path: Path) -> None:
    table = item(LUTDescriptor=[4096, 0, 16], LUTData=[(65535 - 16 * i) for i in range(4096)])
    table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
    path = dicom(tmp_path / "a.dcm", VALUES, VOILUTSequence=[table])
    assert np.array_equal(pixels(path)[..., 0], 65535 - 16 * VALUES)


def test_a_modality_table(tmp_path: Path) -> None:
    table = item(LUTDescriptor=[4096, 0, 16], LUTData=[16 * i for i in range(4096)], ModalityLUTType="US")
    table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
    assert np.array_equal(pixels(dicom(tmp_path / "a.dcm", VALUES, ModalityLUTSequence=[table]))[..., 0], 16 * VALUES)


def test_frames_of_an_enhanced_object_have_windows_of_their_own(tmp_path: Path) -> None:
    def group(center: int) -> Any:
        return item(FrameVOILUTSequence=[item(WindowCenter=center, WindowWidth=1001)])

    rescaled = item(RescaleSlope=2, RescaleIntercept=0, RescaleType="US")
    path = dicom(
        tmp_path / "a.dcm", np.stack([VALUES, VALUES]), PerFrameFunctionalGroupsSequence=[group(500), group(3000)],
        SharedFunctionalGroupsSequence=[item(PixelValueTransformationSequence=[rescaled])],
    )  # fmt: skip
    units = VALUES * 2.0
    assert np.array_equal(pixels(path, frame=0), levels((units - 499.5) / 1000 + 0.5))
    assert np.array_equal(pixels(path, frame=1), levels((units - 2999.5) / 1000 + 0.5))


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_other_orders_of_bytes(tmp_path: Path, syntax: str) -> None:
    path = dicom(tmp_path / "a.dcm", np.stack([VALUES, VALUES[::-1]]), syntax=syntax)
    assert np.array_equal(pixels(path, frame=1), levels(VALUES[::-1] / 4095))


def test_compressed_frames(tmp_path: Path) -> None:
    path = compressed(dicom(tmp_path / "a.dcm", np.stack([VALUES, VALUES[::-1]])), RLELossless)
    assert read_file(path).frame_at(1) is None
    assert np.array_equal(pixels(path, frame=1), levels(VALUES[::-1] / 4095))


@pytest.mark.parametrize("syntax", [None, ExplicitVRBigEndian, RLELossless])
def test_colours_of_an_odd_number_of_bytes(tmp_path: Path, syntax: str | None) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (3, 3, 3), dtype=np.uint8)
    path = dicom(tmp_path / "a.dcm", colours, photometric="RGB", bits_stored=8,
                 **({"syntax": syntax} if syntax == ExplicitVRBigEndian else {}))  # fmt: skip
    if syntax == RLELossless:
        compressed(path, RLELossless)
    assert np.array_equal(pixels(path), colours)


def test_eight_bits_stay_eight(tmp_path: Path) -> None:
    values = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert np.array_equal(pixels(dicom(tmp_path / "a.dcm", values, bits_stored=8)), values[..., None])


def test_a_palette(tmp_path: Path) -> None:
    palettes = {}
    for colour, scale in (("Red", 257), ("Green", 1), ("Blue", 0)):
        palettes[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        palettes[f"{colour}PaletteColorLookupTableData"] = (np.arange(256) * scale).astype("<u2").tobytes()
    values = np.array([[0, 7], [128, 255]], np.uint8)
    path = dicom(tmp_path / "a.dcm", values, bits_stored=8, photometric="PALETTE COLOR", **palettes)
    assert np.array_equal(pixels(path), np.stack([values * np.uint16(257), values, 0 * values], axis=2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "32 of 32 bits"),
        ({"HighBit": 15}, "HighBit 15"),
        ({"PhotometricInterpretation": "CMYK"}, "'CMYK' is not known"),
        ({"Rows": 65535, "Columns": 65535}, "the limit"),
        ({"Rows": 0}, "the limit"),
        ({"SamplesPerPixel": 3}, "3 values a pixel"),
        ({"NumberOfFrames": 2_000_000_000}, "claims 2,000,000,000 frames"),
    ],
)
def test_what_is_not_read_is_said(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        read_file(dicom(tmp_path / "a.dcm", VALUES, **change))


def test_a_window_that_shows_nothing(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match=r"width 0\.0 shows nothing"):
        pixels(dicom(tmp_path / "a.dcm", VALUES, WindowCenter=40, WindowWidth=0))


def test_a_layout_of_another_version(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Unknown DICOM layout 'rainbow'"):
        pixels(dicom(tmp_path / "a.dcm", VALUES), "rainbow")


def test_a_file_that_ends_too_early(tmp_path: Path) -> None:
    path = dicom(tmp_path / "a.dcm", np.stack([VALUES, VALUES]))
    path.write_bytes(path.read_bytes()[:-4])
    assert pixels(path, frame=0).shape == (8, 8, 1)
    with pytest.raises(DecodeError, match="end before frame 1 of 2"):
        pixels(path, frame=1)


def test_an_object_without_an_image(tmp_path: Path) -> None:
    path = dicom(tmp_path / "a.dcm", VALUES, Modality="SR")
    about = pydicom.dcmread(path)
    del about.PixelData
    about.save_as(path)
    with pytest.raises(NoPixelsError, match="no image in it"):
        read_file(path)


@settings(max_examples=60, deadline=None)
@given(at=st.integers(132, 900), byte=st.integers(0, 255), keep=st.integers(0, 900))
def test_damage_is_a_reason_and_never_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int, keep: int
) -> None:
    path = dicom(tmp_path_factory.mktemp("one") / "a.dcm", VALUES, WindowCenter=40, WindowWidth=400)
    data = bytearray(path.read_bytes())
    data[min(at, len(data) - 1)] = byte
    path.write_bytes(data[: max(keep, 140)])
    with suppress(DecodeError):
        pixels(path)


def test_pydicoms_own_files_give_pydicoms_values() -> None:
    folder = Path(pydicom.__file__).parent / "data/test_files"
    compared = 0
    for name in ("CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm",
                 "JPEG2000.dcm", "SC_rgb_jpeg_dcmtk.dcm", "SC_ybr_full_422_uncompressed.dcm"):  # fmt: skip
        path = folder / name
        if not path.exists():
            continue
        from sightline.images.dicom_levels import stored_values

        file, container = read_file(path), Dicom()
        payload = container.payload(Reference(str(path), None, None, None, None, None, 0, None))
        assert np.array_equal(stored_values(file, payload), pixel_array(path, index=0)), name
        compared += 1
    if not compared:
        pytest.skip("this pydicom carries no files")
