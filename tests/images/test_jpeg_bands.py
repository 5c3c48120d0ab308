"""Bands of rows decode to the pixels that these rows have in the whole image, from their own bytes alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import DecodeError
from sightline.images.jpeg_bands import band
from sightline.images.jpeg_recoding import Recoded, recoded
from tests.images import jpeg_reference as reference
from tests.images.jpegs import ENCODERS, Array, photo, pixels_of


def cut(file: Recoded, top: int, bottom: int) -> tuple[bytes, int]:
    return band(
        lambda start, stop: file.payload[start:stop], file.payload[: file.offsets[0]], file.offsets, top, bottom
    )


def rows(file: Recoded, top: int, bottom: int, decode: Callable[[bytes], Array]) -> Array:
    jpeg, first = cut(file, top, bottom)
    return decode(jpeg)[top - first : bottom - first]


@pytest.mark.parametrize("kind", [k for k in ENCODERS if k != "RGB"])
@pytest.mark.parametrize(("height", "width"), [(51, 19), (16, 1), (1, 40), (33, 4)])
def test_every_band(kind: str, height: int, width: int) -> None:
    def decode(data: bytes) -> Array:
        return simplejpeg.decode_jpeg(data, colorspace="GRAY" if "grey" in kind else "RGB", strict=True)

    file = recoded(ENCODERS[kind](photo(height, width)))
    whole = decode(file.payload)
    for top in range(height):
        for bottom in range(top + 1, height + 1):
            np.testing.assert_array_equal(rows(file, top, bottom, decode), whole[top:bottom])


@pytest.mark.parametrize("kind", ["420", "440", "444", "RGB"])
@given(st.data())
@settings(max_examples=15, deadline=None)
def test_bands_as_pillow_decodes_them(kind: str, data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 60))
    file = recoded(ENCODERS[kind](photo(height, width)))
    top = data.draw(st.integers(0, height - 1))
    bottom = data.draw(st.integers(top + 1, height))
    np.testing.assert_array_equal(rows(file, top, bottom, pixels_of), pixels_of(file.payload)[top:bottom])


@pytest.mark.parametrize("factors", [((1, 4), (1, 2), (1, 1)), ((1, 1), (2, 2), (1, 2)), ((2, 2),), ((1, 4),)])
def test_bands_of_unusual_samplings(factors: tuple[tuple[int, int], ...]) -> None:
    shape = reference.Shape(height=71, width=20, factors=factors)
    blocks = reference.random_blocks(shape, 0, 0.05)
    tables = [(0, reference.FLAT_DC), (16, reference.FLAT_AC)]
    file = recoded(reference.coded(blocks, shape, tables=tables, chosen=[0] * len(factors)))
    whole = pixels_of(file.payload)
    for top in range(0, 71, 3):
        for bottom in range(top + 1, 72, 5):
            np.testing.assert_array_equal(rows(file, top, bottom, pixels_of), whole[top:bottom])


def test_only_the_bytes_of_the_rows_are_read() -> None:
    read: list[tuple[int, int]] = []

    def reads(kind: str, top: int, bottom: int) -> list[int]:
        """MCU rows whose bytes were read: first and the one after the last."""
        file = recoded(ENCODERS[kind](photo(80, 24)))
        read.clear()

        def bytes_of(start: int, stop: int) -> bytes:
            read.append((start, stop))
            return file.payload[start:stop]

        band(bytes_of, file.payload[: file.offsets[0]], file.offsets, top, bottom)
        assert len(read) == 1
        return [file.offsets.tolist().index(place) for place in read[0]]

    assert reads("444", 16, 32) == [2, 4]
    assert reads("grey", 17, 33) == [2, 5]
    # Interpolated chroma: an edge of a unit looks at the next one, a row within does not.
    assert reads("420", 17, 31) == [1, 2]
    assert reads("420", 16, 32) == [0, 3]
    assert reads("420", 0, 80) == [0, 5]


def test_a_band_holds_no_more_than_it_must() -> None:
    file = recoded(ENCODERS["420"](photo(80, 24)))
    jpeg, first = cut(file, 20, 30)
    assert (first, simplejpeg.decode_jpeg_header(jpeg)[:2]) == (16, (15, 24))
    assert cut(file, 0, 80)[0] == file.payload


@pytest.mark.parametrize(("top", "bottom"), [(-1, 5), (5, 5), (6, 5), (0, 81)])
def test_rows_that_the_image_has_not(top: int, bottom: int) -> None:
    with pytest.raises(ValueError, match="80 rows"):
        cut(recoded(ENCODERS["420"](photo(80, 24))), top, bottom)


def test_a_shard_that_does_not_fit_its_offsets_is_a_reason() -> None:
    file = recoded(ENCODERS["444"](photo(80, 24)))
    header, offsets = file.payload[: file.offsets[0]], file.offsets

    def refused(payload: bytes, header: bytes, offsets: Array, match: str) -> None:
        with pytest.raises(DecodeError, match=match):
            band(lambda start, stop: payload[start:stop], header, offsets, 10, 50)

    refused(file.payload, header[:-1], offsets, "header does not fit")
    refused(file.payload, header, offsets[:-1], "header does not fit")
    refused(file.payload, b"", offsets, "no frame header")
    refused(file.payload, b"\xff\xd8\xff\xc0\0\2\0\0\0\0\0", offsets, "no frame header")
    refused(file.payload[:-400][: offsets[5]], header, offsets, "restart markers")
    refused(b"\0" + file.payload, header, offsets, "restart markers")
    for place in (offsets[3] - 1, offsets[3] - 2, offsets[7] - 1):
        damaged = bytearray(file.payload)
        damaged[place] ^= 1
        refused(bytes(damaged), header, offsets, "restart markers")
    crossed = offsets.copy()
    crossed[1], crossed[7] = offsets[7], offsets[1]
    refused(file.payload, header, crossed, "do not ascend")
    crossed = offsets.copy()
    crossed[3] = offsets[-1]
    refused(file.payload, header, crossed, "restart markers")


def test_photographs(shared_data: Callable[[str], Path]) -> None:
    rng = np.random.default_rng(0)
    for path in sorted(shared_data("imagenet-originals").rglob("*.JPEG"))[7::25]:
        file = recoded(path.read_bytes())
        whole = pixels_of(file.payload)
        for _ in range(3):
            top, bottom = sorted(rng.choice(len(whole) + 1, 2, replace=False).tolist())
            np.testing.assert_array_equal(rows(file, top, bottom, pixels_of), whole[top:bottom])
