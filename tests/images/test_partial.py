"""The upper rows of a JPEG are those of the whole image, or there are none."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sightline.images import decode
from sightline.images.partial import upper_rows


def photograph(height: int, width: int, channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(height * width)
    small = rng.integers(0, 256, (max(height // 4, 1), max(width // 4, 1), 3), dtype=np.uint8)
    image = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))
    return np.ascontiguousarray(image[..., :channels])


def encoded(height: int, width: int, subsampling: str) -> bytes:
    grey = subsampling == "Gray"
    image = photograph(height, width, 1 if grey else 3)
    return bytes(
        simplejpeg.encode_jpeg(
            image, quality=90, colorspace="GRAY" if grey else "RGB", colorsubsampling="Gray" if grey else subsampling
        )
    )


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 90), width=st.integers(1, 60), share=st.floats(0.01, 1),
    subsampling=st.sampled_from(["444", "422", "420", "440", "411", "Gray"]),
)  # fmt: skip
def test_rows_equal_those_of_the_whole_image(height: int, width: int, share: float, subsampling: str) -> None:
    data, bottom = encoded(height, width, subsampling), max(round(share * height), 1)
    rows = upper_rows(data, bottom)
    if rows is None:
        assert bottom > height - 32  # nothing to save
        return
    whole = decode(data).values
    assert bottom <= len(rows.values) < height
    assert np.array_equal(rows.values[:bottom], whole[:bottom])


def test_less_is_decoded() -> None:
    rows = upper_rows(encoded(200, 40, "420"), 17)
    assert rows is not None
    assert rows.values.shape == (48, 40, 3)


@pytest.mark.parametrize("options", [{"progressive": True}, {"restart_marker_rows": 1}, {"optimize": True}])
def test_other_ways_to_write_a_jpeg(options: dict[str, object]) -> None:
    stream = io.BytesIO()
    Image.fromarray(photograph(120, 50)).save(stream, "JPEG", **options)
    rows = upper_rows(stream.getvalue(), 20)
    if "progressive" in options:
        assert rows is None
    else:
        assert rows is not None
        assert np.array_equal(rows.values[:20], decode(stream.getvalue()).values[:20])


@pytest.mark.parametrize("mode", ["CMYK", "RGB"])
def test_colours_that_need_a_judge_are_left_to_the_whole_decoder(mode: str) -> None:
    stream = io.BytesIO()
    image = Image.fromarray(photograph(120, 50)).convert(mode)
    image.save(stream, "JPEG", **({"keep_rgb": True} if mode == "RGB" else {}))
    assert upper_rows(stream.getvalue(), 20) is None


def test_damage_is_not_overlooked() -> None:
    data = encoded(160, 64, "444")
    assert upper_rows(data, 40) is not None
    assert upper_rows(data[:-1500], 40) is None, "truncated below the rows that are wanted"
    assert upper_rows(data[: len(data) // 6], 40) is None
    middle = len(data) // 6
    assert upper_rows(data[:middle] + b"\xff\xd9" + data[middle:], 40) is None, "an end in the middle"
    assert upper_rows(b"", 1) is None
    assert upper_rows(data[:300], 1) is None


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_bytes_are_survived(data: st.DataObject) -> None:
    jpeg = bytearray(encoded(64, 40, "420"))
    for _ in range(data.draw(st.integers(1, 4))):
        jpeg[data.draw(st.integers(0, len(jpeg) - 1))] = data.draw(st.integers(0, 255))
    rows = upper_rows(bytes(jpeg), 10)
    assert rows is None or len(rows.values) >= 10


def test_real_photographs(shared_data: Callable[[str], Path]) -> None:
    files = sorted(shared_data("imagenet-originals").glob("*/*"))[:40]
    saved = 0
    for file in files:
        data = file.read_bytes()
        whole = decode(data).values
        rows = upper_rows(data, len(whole) // 2)
        if rows is not None:
            saved += 1
            assert np.array_equal(rows.values[: len(whole) // 2], whole[: len(whole) // 2])
    assert saved > 30
