"""Pictures for the page: upright, of the size that is asked for, small ones without loss."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.errors import DecodeError
from sightline.indexing import index
from sightline.reviewing.pictures import LOSSLESS, picture


def test_pictures(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    small = rng.integers(0, 255, (20, 30, 3), dtype=np.uint8)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    Image.fromarray(small).save(tmp_path / "a" / "small.png")
    turned = Image.fromarray(rng.integers(0, 255, (40, 600, 3), dtype=np.uint8))
    tags = turned.getexif()
    tags[0x0112] = 6
    turned.save(tmp_path / "a" / "turned.jpg", exif=tags)
    (tmp_path / "b" / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    samples = index(tmp_path)
    rows = {key: i for i, key in enumerate(samples.column("key"))}
    reader = samples.reader()
    data, kind = picture(reader, rows["a/small.png"], 1280)
    assert kind == "image/png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), small)
    data, kind = picture(reader, rows["a/turned.jpg"], 256)
    assert kind == "image/jpeg"
    assert Image.open(io.BytesIO(data)).size == (17, 256)
    assert Image.open(io.BytesIO(picture(reader, rows["a/turned.jpg"], 1280)[0])).size == (40, 600)
    assert max(600, 40) > LOSSLESS
    with pytest.raises(DecodeError):
        picture(reader, rows["b/torn.jpg"], 256)
