"""Native pixels: what each kind of file becomes, and what is refused."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sightline.errors import DecodeError
from sightline.images import MAX_PIXELS, decode, pixels_of_pillow, sniff
from tests.sources import (
    ODD_BUT_READABLE,
    TRUNCATED,
    UNREADABLE,
    encoded,
    exif_jpeg,
    jpeg,
    palette_alpha_png,
    picture,
    png16,
)

LOSSLESS = ("PNG", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000")


@pytest.mark.parametrize("codec", LOSSLESS)
def test_lossless_codecs_return_the_pixels(codec: str) -> None:
    values = picture()
    options = {"lossless": True} if codec == "WEBP" else {}
    pixels = decode(encoded(Image.fromarray(values), codec, **options))
    np.testing.assert_array_equal(pixels.values, values)
    assert (pixels.bits, pixels.orientation) == (8, 1)


@pytest.mark.parametrize("codec", ["PNG", "BMP", "TIFF", "PPM"])
def test_grey_stays_one_channel(codec: str) -> None:
    values = picture(channels=1)
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(values), codec)).values, values[:, :, None])


@given(height=st.integers(1, 33), width=st.integers(1, 33), grey=st.booleans(), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_the_fast_jpeg_path_gives_pillows_pixels(height: int, width: int, grey: bool, seed: int) -> None:
    data = encoded(Image.fromarray(picture(height, width, 1 if grey else 3, seed)), "JPEG", quality=80)
    with Image.open(io.BytesIO(data)) as image:
        wanted = np.asarray(image)
    np.testing.assert_array_equal(decode(data).values, wanted.reshape(height, width, -1))


def test_progressive_jpeg() -> None:
    data = encoded(Image.fromarray(picture(40, 40)), "JPEG", progressive=True)
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(decode(data).values, np.asarray(image))


def test_sixteen_bits_stay_sixteen() -> None:
    pixels = decode(png16())
    assert pixels.bits == 16
    assert pixels.values.dtype == np.uint16
    np.testing.assert_array_equal(pixels.values.ravel(), np.arange(12) * 5000)


def test_sixteen_bit_tiff() -> None:
    values = (np.arange(12, dtype=np.uint16) * 5000).reshape(3, 4)
    pixels = decode(encoded(Image.fromarray(values), "TIFF"))
    assert pixels.bits == 16
    np.testing.assert_array_equal(pixels.values[:, :, 0], values)


def test_orientation_is_told_and_not_applied() -> None:
    data = exif_jpeg(6)
    pixels = decode(data)
    assert pixels.orientation == 6
    assert pixels.values.shape == (12, 16, 3)
    assert sniff(data).exif_orientation == 6


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_as_it_was_stored(orientation: int, compression: str | None) -> None:
    """Pillow turns a TIFF as it loads it: turned once more by the contract, it would lie on its side."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(picture()), "TIFF", exif=exif, compression=compression)
    for pixels in (decode(data), pixels_of_pillow(Image.open(io.BytesIO(data)))):
        np.testing.assert_array_equal(pixels.values, picture())
        assert pixels.orientation == orientation
    header = sniff(data)
    assert (header.width, header.height, header.exif_orientation) == (16, 12, orientation)


@pytest.mark.parametrize("illegal", [0, 9, 77])
def test_an_illegal_orientation_says_nothing(illegal: int) -> None:
    assert sniff(exif_jpeg(illegal)).exif_orientation is None
    assert decode(exif_jpeg(illegal)).orientation == 1


def test_palette_with_transparency_becomes_rgba() -> None:
    pixels = decode(palette_alpha_png())
    assert pixels.values.shape[2] == 4
    is_first = (picture(channels=1) % 4) == 0
    np.testing.assert_array_equal(pixels.values[:, :, 3] == 0, is_first)


def test_grey_with_alpha_keeps_two_channels() -> None:
    values = picture(channels=2)
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(values, "LA"), "PNG")).values, values)


def test_cmyk_becomes_rgb() -> None:
    pixels = decode(ODD_BUT_READABLE["cmyk.jpg"][0])
    assert pixels.values.shape == (12, 16, 3)


def test_one_bit_becomes_black_and_white() -> None:
    image = Image.fromarray(picture(channels=1)).convert("1")
    assert set(np.unique(decode(encoded(image, "PNG")).values)) == {0, 255}


def test_of_an_animation_the_first_frame() -> None:
    frames = [Image.new("L", (4, 4), v) for v in (10, 200)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(data).values.max() == 10


def test_a_header_agrees_with_the_pixels() -> None:
    for data, codec, mode, bits, orientation in ODD_BUT_READABLE.values():
        header = sniff(data)
        assert (header.codec, header.mode, header.bits, header.exif_orientation) == (codec, mode, bits, orientation)
        pixels = decode(data)
        assert pixels.values.shape[:2] == (header.height, header.width)
        assert pixels.bits == header.bits


def test_a_header_from_a_file_and_from_bytes_agree() -> None:
    for data in [v[0] for v in ODD_BUT_READABLE.values()] + [jpeg()]:
        assert sniff(data) == sniff(io.BytesIO(data))


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable(name: str) -> None:
    data, reason = UNREADABLE[name]
    for function in (sniff, decode):
        with pytest.raises(DecodeError, match=reason):
            function(data)


@pytest.mark.parametrize("name", TRUNCATED)
def test_half_a_file_is_not_half_an_image(name: str) -> None:
    sniff(TRUNCATED[name])
    with pytest.raises(DecodeError, match="damaged"):
        decode(TRUNCATED[name])


def test_half_a_webp_is_said_to_be_cut() -> None:
    data = encoded(Image.fromarray(picture(64, 64)), "WEBP")
    for function in (sniff, decode):
        with pytest.raises(DecodeError, match=rf"damaged webp: truncated, 1,000 of {len(data):,} bytes"):
            function(data[:1000])
        with pytest.raises(DecodeError, match=r"damaged webp: (?!truncated)"):
            function(data[:12] + data[13:] + b"0")


@pytest.mark.parametrize("at", [0.2, 0.5, 0.8])
def test_a_png_with_a_changed_byte_is_no_image(at: float) -> None:
    """Half of it may decode, and must not pass for the whole."""
    data = bytearray(encoded(Image.fromarray(picture(64, 64)), "PNG"))
    data[int(at * len(data))] ^= 0x10
    for function in (decode, lambda d: pixels_of_pillow(Image.open(io.BytesIO(d)))):
        with pytest.raises(DecodeError, match="damaged png"):
            function(bytes(data))


@pytest.mark.parametrize("name", ODD_BUT_READABLE)
def test_an_opened_image_has_the_pixels_of_its_bytes(name: str) -> None:
    data = ODD_BUT_READABLE[name][0]
    for is_loaded in (False, True):
        image = Image.open(io.BytesIO(data))
        if is_loaded:
            image.load()
        mine, theirs = pixels_of_pillow(image), decode(data)
        assert np.array_equal(mine.values, theirs.values)
        assert mine.values.dtype == theirs.values.dtype
        assert (mine.bits, mine.orientation) == (theirs.bits, theirs.orientation)


def test_an_opened_image_that_is_damaged_has_a_reason() -> None:
    for data in TRUNCATED.values():
        with pytest.raises(DecodeError, match="damaged"):
            pixels_of_pillow(Image.open(io.BytesIO(data)))
    with pytest.raises(DecodeError, match="32-bit"):
        pixels_of_pillow(Image.fromarray(np.ones((3, 4), np.float32)))


def _reason(function: Callable[[bytes], object], data: bytes) -> str | None:
    """Why the bytes are refused, or None when they are an image; any other kind of error is a defect."""
    try:
        function(data)
    except DecodeError as e:
        return str(e)
    return None


@given(st.integers(0, 700), st.integers(1, 255))
@settings(max_examples=60, deadline=None)
def test_damage_is_pixels_or_a_reason(where: int, flip: int) -> None:
    for data in (jpeg(), encoded(Image.fromarray(picture()), "PNG")):
        broken = bytearray(data)
        broken[where % len(data)] ^= flip
        assert _reason(decode, bytes(broken)) != ""


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@given(st.binary(max_size=64))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_an_image_or_a_reason(data: bytes) -> None:
    for head in (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"RIFF0000WEBP", b"P5 ",
                 b"P2\n", b"\xff\x4f\xff\x51", b"\0\0\0\x20ftypavif"):  # fmt: skip
        for function in (sniff, decode):
            assert _reason(function, head + data) != ""


def test_sixteen_bit_colour_is_refused_not_cut() -> None:
    raw = b"".join(b"\0" + bytes(range(24)) for _ in range(4))  # 4 × 4 pixels of 3 × 16 bits
    chunks = [(b"IHDR", b"\0\0\0\4\0\0\0\4\x10\x02\0\0\0"), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    body = b"".join(len(d).to_bytes(4, "big") + k + d + zlib.crc32(k + d).to_bytes(4, "big") for k, d in chunks)
    data = b"\x89PNG\r\n\x1a\n" + body
    assert sniff(data).bits == 16
    with pytest.raises(DecodeError, match="16-bit RGB"):
        decode(data)


@pytest.mark.parametrize(("name", "bits"), [("a.jp2", 16), ("a.ppm", 16), ("a.avif", 10)])
def test_deep_colour_of_any_codec_is_refused_not_cut(name: str, bits: int, tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    deep = picture(40, 48).astype(np.uint16) << (bits - 8)
    options = [cv2.IMWRITE_AVIF_DEPTH, bits] if name == "a.avif" else []
    assert cv2.imwrite(str(tmp_path / name), deep, options)
    data = (tmp_path / name).read_bytes()
    with (tmp_path / name).open("rb") as file:
        assert sniff(data).bits == sniff(file).bits == bits
    with pytest.raises(DecodeError, match=rf"{bits}-bit RGB {name[2:]} is not supported"):
        decode(data)


@given(st.sampled_from([(b"P5", 255), (b"P5", 256), (b"P5", 4095), (b"P5", 65535), (b"P2", 4095)]), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_a_deep_pgm_is_drawn_out_to_sixteen_bits(kind: tuple[bytes, int], seed: int) -> None:
    magic, most = kind
    levels = np.random.default_rng(seed).integers(0, most + 1, (5, 7))
    stored = levels.astype(">u2" if most > 255 else "u1").tobytes()
    body = stored if magic == b"P5" else " ".join(map(str, levels.ravel())).encode()
    data = magic + b"\n# a comment\n7 5\n%d\n" % most + body
    pixels, header = decode(data), sniff(data)
    deep = most > 255
    assert (pixels.bits, header.bits, header.mode) == ((16, 16, "I;16") if deep else (8, 8, "L"))
    assert np.array_equal(pixels.values[..., 0], np.round(levels * (65535 if deep else 255) / most))


def test_of_avif_what_turns_it_is_told_and_not_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(picture(6, 9)), "AVIF", exif=exif)
    assert sniff(data).exif_orientation == decode(data).orientation == 6
    assert decode(data).values.shape == (6, 9, 3)


def test_float_pixels_are_refused() -> None:
    with pytest.raises(DecodeError, match="32-bit"):
        decode(encoded(Image.fromarray(np.ones((3, 4), np.float32)), "TIFF"))


def test_a_bomb_is_refused_by_its_header() -> None:
    side = int(MAX_PIXELS**0.5) + 1
    data = encoded(Image.new("1", (side, side)), "PNG")
    assert len(data) < 100_000
    for function in (sniff, decode):
        with pytest.raises(DecodeError, match="pixels"):
            function(data)


@pytest.mark.parametrize(
    ("limit", "wanted"),
    [("", "set SIGHTLINE_MAX_PIXELS to"), ("200000000", "L 200000000"), ("many", "wanted a number")],
)
def test_200_megapixels_are_refused_until_the_limit_is_raised(tmp_path: Path, limit: str, wanted: str) -> None:
    file = tmp_path / "large.png"
    Image.new("1", (20_000, 10_000)).save(file)
    code = f"""
try:
    from sightline.images import sniff
    header = sniff(open({str(file)!r}, "rb"))
    print(header.mode.replace("1", "L"), header.width * header.height)
except Exception as e:
    print(e)
"""
    environment = {**os.environ, **({"SIGHTLINE_MAX_PIXELS": limit} if limit else {})}
    out = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, env=environment)
    assert wanted in out.stdout
