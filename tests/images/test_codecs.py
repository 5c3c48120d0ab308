"""What bytes are by their beginning: a codec, something known that is not read, or no image."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sightline.audits.oddities import CODECS, NAMES
from sightline.audits.unreadable import kind_of
from sightline.conversion.tar_shards import SUFFIXES
from sightline.errors import DecodeError
from sightline.images import decode
from sightline.images.codecs import BEGINNING, PILLOW_FORMATS, codec_of, depth_of
from tests.sources import encoded, picture

PHOTO = Image.fromarray(picture(16, 16))


@pytest.mark.parametrize("codec", PILLOW_FORMATS)
def test_what_pillow_writes_is_known(codec: str) -> None:
    data = encoded(PHOTO, PILLOW_FORMATS[codec])
    assert codec_of(data[:16]) == codec
    assert depth_of(codec, data[:BEGINNING]) == 8


@pytest.mark.parametrize(
    ("head", "codec"),
    [(b"\xff\xd8\xff\xe0", "jpeg"), (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "webp"), (b"II*\0", "tiff"), (b"MM\0*", "tiff"),
     (b"\xff\x4f\xff\x51", "jp2"), (b"P2\n3 4\n", "ppm"), (b"P5 3 4 255 ", "ppm")],
)  # fmt: skip
def test_magic_bytes(head: bytes, codec: str) -> None:
    assert codec_of(head) == codec


def test_each_codec_has_a_name_and_a_suffix() -> None:
    assert set(NAMES) == set(CODECS.values()) == set(SUFFIXES) == set(PILLOW_FORMATS)
    assert {f".{suffix}" for suffix in SUFFIXES.values()} <= set(CODECS)


def test_a_tiff_of_more_than_four_gigabytes_is_one() -> None:
    buffer = io.BytesIO()
    PHOTO.save(buffer, "TIFF", big_tiff=True)
    assert buffer.getvalue()[:4] == b"II+\0"
    assert (decode(buffer.getvalue()).values == picture(16, 16)).all()


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [(b"\0\0\0\x18ftypheic", "HEIC", "unsupported"), (b"\0\0\0\x18ftypmif1", "HEIF", "unsupported"),
     (b"\0\0\0\x18ftypisom", "a video", "unsupported"), (b"\xff\x0a\xfa", "JPEG XL", "unsupported"),
     (b"8BPS\0\1", "a Photoshop document", "unsupported"), (b"%PDF-1.7", "PDF", "unsupported"),
     (b"RIFF\0\0\0\0WAVEfmt ", "not an image", "not-an-image"), (b"P2 was there first", "but text", "text"),
     (b"<svg xmlns=", "but text", "text"), (b"", "empty file", "empty")],
)  # fmt: skip
def test_what_is_not_read_is_called_by_its_name(head: bytes, name: str, kind: str) -> None:
    with pytest.raises(DecodeError, match=name) as refused:
        codec_of(head)
    assert kind_of(str(refused.value)) == kind


@given(st.sampled_from(["png", "jp2", "ppm", "avif"]), st.binary(max_size=80))
def test_any_bytes_have_a_depth(codec: str, data: bytes) -> None:
    for head in (b"", b"P6\n", b"\xff\x4f\xff\x51", b"av1C"):
        assert 8 <= depth_of(codec, head + data) < 1 << 10


@pytest.mark.parametrize("filler", [b" ", b"#", b"\n", b"#\n", b"1", b"1 ", b"# 1\n "])
def test_a_header_without_end_is_judged_at_once(filler: bytes) -> None:
    assert depth_of("ppm", (b"P5 " + filler * BEGINNING)[:BEGINNING]) == 8


def test_a_pixel_that_reads_like_a_box_is_none() -> None:
    assert depth_of("avif", b"....mdat.....av1C\x81\x00\x60\x00") == 8
    assert depth_of("avif", b".........av1C\x81\x00\x60\x00mdat") == 12
