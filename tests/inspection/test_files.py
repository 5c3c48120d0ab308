"""What encoded bytes say about themselves, against Pillow where it says the same."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sightline.inspection.exif import exif_facts
from sightline.inspection.files import beginning_of, file_facts
from sightline.inspection.jpeg import quality_of
from sightline.inspection.names import suffix_of
from tests.sources import encoded, jpeg, picture

PHOTO = Image.fromarray(picture(40, 56))


def tagged(**tags: Any) -> Image.Exif:
    exif = Image.Exif()
    numbers = {"make": 271, "model": 272, "software": 305, "written": 306}
    for name, value in tags.items():
        if name == "taken":
            exif.get_ifd(0x8769)[36867] = value
        else:
            exif[numbers[name]] = value
    return exif


@pytest.mark.parametrize("quality", [1, 5, 10, 25, 49, 50, 51, 75, 90, 95, 100])
def test_quality_is_that_of_the_encoder(quality: int) -> None:
    facts = file_facts(encoded(PHOTO, "JPEG", quality=quality))
    assert facts["jpeg_quality"] == quality


def test_foreign_tables_have_the_nearest_quality_and_their_own_hash() -> None:
    plain = encoded(PHOTO, "JPEG", quality=80)
    tables = Image.open(io.BytesIO(plain)).quantization
    other = {k: [v + (i == 7) for i, v in enumerate(t)] for k, t in tables.items()}
    changed = file_facts(encoded(PHOTO, "JPEG", qtables=other))
    assert changed["jpeg_quality"] == file_facts(plain)["jpeg_quality"] == 80
    assert changed["jpeg_tables"] != file_facts(plain)["jpeg_tables"]
    assert file_facts(encoded(PHOTO.rotate(90), "JPEG", quality=80))["jpeg_tables"] == file_facts(plain)["jpeg_tables"]


@pytest.mark.parametrize(("mode", "name"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
def test_subsampling(mode: int, name: str) -> None:
    assert file_facts(encoded(PHOTO, "JPEG", subsampling=mode))["subsampling"] == name


def test_scans_greys_and_profiles() -> None:
    assert file_facts(encoded(PHOTO.convert("L"), "JPEG"))["subsampling"] == "4:0:0"
    assert file_facts(encoded(PHOTO, "JPEG"))["is_progressive"] is False
    assert file_facts(encoded(PHOTO, "JPEG", progressive=True))["is_progressive"] is True
    for codec in ("JPEG", "PNG", "TIFF", "WEBP", "AVIF"):
        assert file_facts(encoded(PHOTO, codec, icc_profile=b"a profile"))["has_icc"] is True, codec
        assert file_facts(encoded(PHOTO, codec))["has_icc"] is False, codec


@pytest.mark.parametrize("codec", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_camera_and_time(codec: str) -> None:
    # Pillow writes no directory below that of a TIFF: its time is the one of writing.
    times = {"taken": "2019:03:31 23:59:58", "written": "2020:01:01 00:00:00"}
    exif = tagged(make="Canon", model="EOS 5D", software="x", **times)
    facts = file_facts(encoded(PHOTO, codec, exif=exif))
    assert (facts["make"], facts["model"], facts["software"]) == ("Canon", "EOS 5D", "x")
    taken = datetime(2020, 1, 1) if codec == "TIFF" else datetime(2019, 3, 31, 23, 59, 58)
    assert facts["taken"] == taken


def test_time_of_writing_stands_in_and_nonsense_says_nothing() -> None:
    assert exif_facts(tagged(written="2020:01:02 03:04:05").tobytes()) == {"taken": datetime(2020, 1, 2, 3, 4, 5)}
    assert exif_facts(tagged(written="0000:00:00 00:00:00", make="  ").tobytes()) == {}
    assert exif_facts(tagged(make="a\nb\x1b[31m" + "c" * 90).tobytes())["make"] == ("a b [31m" + "c" * 90)[:64]


def test_frames() -> None:
    frames = [Image.fromarray(picture(seed=s)) for s in range(5)]
    for codec in ("GIF", "PNG", "WEBP", "TIFF", "AVIF"):
        assert file_facts(encoded(frames[0], codec, save_all=True, append_images=frames[1:]))["num_frames"] == 5, codec
        assert file_facts(encoded(frames[0], codec))["num_frames"] == 1, codec


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (b"", "empty"), (jpeg(), "jpeg"), (encoded(PHOTO, "BMP"), "bmp"), (encoded(PHOTO, "PPM"), "ppm"),
        (b"\n <!DOCTYPE HTML><p>404", "html"), (b"<?xml version='1.0'?><Error/>", "html"),
        ("schön, aber kein Bild\n".encode() * 99, "text"), (b"BM is how this begins", "text"),
        (bytes(range(128, 200)), "unknown"),
    ],
)  # fmt: skip
def test_beginnings(payload: bytes, name: str) -> None:
    assert beginning_of(payload) == name


SOURCES = [
    encoded(PHOTO, "JPEG", exif=tagged(make="m", taken="2019:03:31 23:59:58"), icc_profile=b"p" * 200),
    *(encoded(PHOTO, codec, exif=tagged(make="m")) for codec in ("PNG", "WEBP", "TIFF", "AVIF")),
    encoded(PHOTO, "GIF", save_all=True, append_images=[PHOTO.rotate(9)]),
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SOURCES), st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=12),
       st.integers(0, 4000))  # fmt: skip
def test_damage_says_less_and_never_fails(source: bytes, changes: list[tuple[int, int]], end: int) -> None:
    data = bytearray(source[: max(len(source) - end, 0)])
    for at, value in changes:
        if at < len(data):
            data[at] = value
    facts = file_facts(bytes(data))
    assert facts["num_bytes"] == len(data)
    assert 0 < facts["num_frames"] <= 1 << 16 or facts["num_frames"] == 1
    assert all(len(facts.get(name) or "") <= 64 for name in ("make", "model", "software"))


def test_a_loop_of_pages_ends() -> None:
    data = bytearray(encoded(PHOTO, "TIFF"))
    first = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[first : first + 2], "little")
    data[first + 2 + 12 * count : first + 6 + 12 * count] = data[4:8]
    assert file_facts(bytes(data))["num_frames"] == 1


def test_quality_of_a_table_of_ones_is_the_best() -> None:
    assert quality_of(np.ones(64, ">u2").tobytes()) == 100


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a/B.JPG", ".jpg"), ("a.b/c", ""), (".hidden", ""), ("x.tar.gz", ".gz"), ("1.2.840.113", ".113"), ("a.", ""),
     ("train/00001", ""), ("a.averylongword", "")],
)  # fmt: skip
def test_suffix(name: str, suffix: str) -> None:
    assert suffix_of(name) == suffix
