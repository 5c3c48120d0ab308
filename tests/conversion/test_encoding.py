"""Encoding again: sizes, quality as measured, and what a JPEG cannot hold."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from sightline.conversion.encoding import Encoding, NotEncodable, encoded
from sightline.errors import DataError
from sightline.images import decode, sniff
from tests import sources
from tests.sources import exif_jpeg, palette_alpha_png, picture, png16

ALL = Encoding(quality=90)


def smooth(height: int = 60, width: int = 90) -> Image.Image:
    coarse = Image.fromarray(picture(6, 9))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


def test_an_encoding_says_something_possible() -> None:
    for wrong, said in (({}, "got neither"), ({"quality": 0}, "from 1 to 100"), ({"max_side": 0}, "at least 1 pixel")):
        with pytest.raises(DataError, match=said):
            Encoding(**wrong)
    assert str(Encoding(quality=90)) == "encoded again: JPEG quality 90, 4:2:0"
    assert str(Encoding(max_side=8)) == "larger images encoded again: JPEG quality 95, 4:4:4, longest side at most 8"


@given(st.integers(1, 4000), st.integers(1, 4000), st.integers(1, 500))
@settings(max_examples=60)
def test_sizes(height: int, width: int, max_side: int) -> None:
    encoding = Encoding(max_side=max_side)
    new = encoding.size_of(height, width)
    assert max(new) == min(max_side, max(height, width))
    assert encoding.applies_to(height, width) == (new != (height, width))
    scale = max(new) / max(height, width)
    assert all(abs(n - max(scale * old, 1)) <= 0.5 + 1e-9 for n, old in zip(new, (height, width), strict=True))


def test_psnr_is_that_of_the_pixels_at_the_new_size() -> None:
    image = smooth()
    data = sources.encoded(image, "PNG")
    made = encoded(data, decode(data), Encoding(quality=80, max_side=45))
    small = np.asarray(image.resize((45, 30), Image.Resampling.LANCZOS), float)
    got = np.asarray(Image.open(io.BytesIO(made.payload)), float)
    assert got.shape == small.shape
    assert made.psnr_db == pytest.approx(10 * np.log10(255**2 / np.mean((small - got) ** 2)))
    assert 20 < made.psnr_db < 60


def test_equal_pixels_have_no_psnr() -> None:
    grey = sources.encoded(Image.new("L", (16, 16), 128), "PNG")
    made = encoded(grey, decode(grey), ALL)
    assert made.psnr_db == float("inf")
    assert sniff(made.payload).mode == "L"


def test_more_quality_is_nearer() -> None:
    data = sources.encoded(smooth(), "PNG")
    found = [encoded(data, decode(data), Encoding(quality=q)).psnr_db for q in (30, 60, 90, 98)]
    assert found == sorted(found)


def test_colour_is_halved_below_the_quality_that_asks_for_it() -> None:
    data = sources.encoded(smooth(), "PNG")
    for quality, sampling in ((91, (2, 2)), (92, (1, 1))):
        with Image.open(io.BytesIO(encoded(data, decode(data), Encoding(quality=quality)).payload)) as image:
            assert image.layer[0][1:3] == sampling  # type: ignore[attr-defined]


def test_orientation_is_applied_once() -> None:
    for orientation in range(1, 9):
        data = exif_jpeg(orientation)
        made = encoded(data, decode(data), Encoding(quality=100))
        upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))), int)
        got = decode(made.payload)
        assert got.orientation == 1
        assert sniff(made.payload).exif_orientation is None
        assert np.abs(got.values - upright).mean() < 3, orientation


@pytest.mark.parametrize("codec", ["JPEG", "PNG"])
def test_the_icc_profile_goes_along(codec: str) -> None:
    profile = bytes(range(256)) * 600  # three segments
    data = sources.encoded(smooth(), codec, icc_profile=profile)
    made = encoded(data, decode(data), ALL)
    with Image.open(io.BytesIO(made.payload)) as image:
        assert image.info["icc_profile"] == profile
    np.testing.assert_array_equal(decode(made.payload).values, made.pixels.values)


def test_the_profile_of_inks_is_not_that_of_their_rgb() -> None:
    data = sources.encoded(Image.fromarray(picture(channels=4), "CMYK"), "JPEG", icc_profile=b"inks")
    with Image.open(io.BytesIO(encoded(data, decode(data), ALL).payload)) as image:
        assert image.mode == "RGB"
        assert "icc_profile" not in image.info


def test_what_a_jpeg_cannot_hold_is_refused() -> None:
    wide = sources.encoded(Image.new("L", (65_536, 1)), "PNG")
    for data, why in ((png16(), "16 bits"), (palette_alpha_png(), "transparency"), (wide, "too large")):
        with pytest.raises(NotEncodable, match=why):
            encoded(data, decode(data), ALL)
    opaque = sources.encoded(smooth().convert("RGBA"), "PNG")
    assert encoded(opaque, decode(opaque), ALL).pixels.values.shape == (60, 90, 3)
    assert encoded(wide, decode(wide), Encoding(max_side=4096)).pixels.values.shape == (1, 4096, 1)
